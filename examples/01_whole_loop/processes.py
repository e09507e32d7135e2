"""Starting, killing and stopping the demo's processes; each logs into its own file."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

COMMAND = Path(sys.executable).with_name("edge-runtime")


class DemoError(Exception):
    """The demo cannot go on; the message says what did not happen and where to look."""


class Processes:
    """The running processes by name; on leaving, all are stopped, the last started first."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True)

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(reversed(self._running)):
            self.stop(name)

    def start(self, name: str, *command: object) -> dict[str, Any]:
        """Start a command with `--ready-file`; returns what it wrote there once it is ready."""
        ready = self._logs / f"{name}.ready"
        ready.unlink(missing_ok=True)
        self.spawn(name, *command, "--ready-file", ready)
        wait_for(ready.exists, f"{name} to be ready", alive=lambda: self._alive(name))
        return json.loads(ready.read_text())

    def spawn(self, name: str, *command: object) -> None:
        with (self._logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [str(part) for part in command], stdout=log, stderr=log
            )

    def ready(self, name: str) -> dict[str, Any]:
        """What the process says of itself now."""
        return json.loads((self._logs / f"{name}.ready").read_text())

    def check(self) -> None:
        """Raise when a process ended that should run, or failed."""
        for name in list(self._running):
            if self._running[name].poll():
                self._alive(name)

    def kill(self, name: str) -> None:
        """SIGKILL: no last words."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def stop(self, name: str) -> int:
        """SIGTERM and wait; returns the exit status."""
        process = self._running.pop(name)
        process.terminate()
        try:
            return process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def _alive(self, name: str) -> None:
        if (status := self._running[name].poll()) is not None:
            tail = (self._logs / f"{name}.log").read_text().strip().splitlines()[-3:]
            raise DemoError(f"{name} ended with status {status}: " + " / ".join(tail))


def kill_pid(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def command(*arguments: object) -> str:
    """Run one `edge-runtime` command to its end and return its standard output."""
    done = subprocess.run(
        [str(COMMAND), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        shown = " ".join(map(str, arguments))
        raise DemoError(f"`edge-runtime {shown}` ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def wait_for(
    condition: Callable[[], object],
    what: str,
    *,
    timeout_s: float = 60,
    alive: Callable[[], object] = lambda: None,
) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        alive()
        if time.monotonic() > deadline:
            raise DemoError(f"waited {timeout_s:.0f} s for {what}")
        time.sleep(0.05)
