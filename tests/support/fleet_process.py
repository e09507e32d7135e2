"""`edge-runtime fleet serve` and `fleet broker` as processes that can be waited for, and killed."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_DEADLINE_S = 30.0
_COMMAND = [sys.executable, "-c", "from edge_runtime.cli import main; main()", "fleet"]


class FleetProcess:
    """One process, started with a ready file. `said`: what it wrote to stderr so far."""

    def __init__(self, folder: Path, command: str, *arguments: object) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._ready = folder / f"{command}.ready.json"
        self._errors = folder / f"{command}.stderr"
        self._arguments = [command, *map(str, arguments), "--ready-file", str(self._ready)]
        self.process = self._start()

    @property
    def said(self) -> str:
        return self._errors.read_text("utf-8")

    def ready(self) -> dict[str, Any]:
        """What the ready file says, once it is there."""
        deadline = time.monotonic() + _DEADLINE_S
        while time.monotonic() < deadline:
            try:
                found = json.loads(self._ready.read_text())
            except FileNotFoundError:
                assert self.process.poll() is None, f"it ended: {self.said}"
                time.sleep(0.01)
            else:
                if found["pid"] == self.process.pid:
                    assert isinstance(found, dict)
                    return found
        raise AssertionError(f"not ready within {_DEADLINE_S} s: {self.said}")

    def port(self) -> int:
        return int(self.ready()["port"])

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(_DEADLINE_S)

    def restart(self) -> None:
        """Start again what was killed, with the same arguments."""
        self.process = self._start()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(_DEADLINE_S)

    def exit_code(self) -> int:
        """Of a process that ends by itself."""
        return self.process.wait(_DEADLINE_S)

    def _start(self) -> "subprocess.Popen[bytes]":
        with self._errors.open("ab") as errors:
            return subprocess.Popen([*_COMMAND, *self._arguments], stdout=errors, stderr=errors)


@contextmanager
def fleet_process(folder: Path, command: str, *arguments: object) -> Iterator[FleetProcess]:
    """Run `edge-runtime fleet COMMAND ARGUMENTS`; its ready file and stderr go to `folder`."""
    running = FleetProcess(folder, command, *arguments)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()
