"""A real agent in a process of its own, with its folder, its configuration and its books."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.store.beside_agent import told
from edge_runtime.store.disk import Store
from edge_runtime.store.slots import ModelState
from edge_runtime.telemetry.messages import Event, Metrics, Prediction, Row
from edge_runtime.telemetry.outbox import Counts, read_counts
from tests.support.tiny_bundle import root_bytes, tiny_bundle
from tests.support.waiting import wait_for

COMMAND = Path(sys.executable).with_name("edge-runtime")


class AgentRig:
    """One device: `edge-runtime run` on a configuration of one model named `tiny`.

    `settings` are more members of the model's source, `model` of the model, `fleet` of the fleet,
    `telemetry` of that table.
    A new version is confirmed by its golden outputs, unless `trial` asks for more.
    `environment` may be set before a start, and `program`, where it is another's that runs.
    """

    def __init__(
        self,
        folder: Path,
        sensor_url: str,
        *,
        fleet: Mapping[str, Any] | None = None,
        model: Mapping[str, Any] | None = None,
        trial: Mapping[str, Any] | None = None,
        interval_s: float = 60,
        telemetry: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.folder = folder
        self.data = folder / "state"
        self.config = folder / "agent.toml"
        self.log = folder / "agent.log"
        self._ready = folder / "ready.json"
        self._trial = trial
        self.environment: dict[str, str] = {}
        self.program: Sequence[str | Path] = (COMMAND,)
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "root.json").write_bytes(root_bytes())
        source = {"url": sensor_url, "topic": "sensors/watch", **settings}
        tables = {
            "device": {"id": "watch-01", "data": "state", "trust": "root.json"},
            "telemetry": {"interval_s": interval_s, **(telemetry or {})},
            **({"fleet": fleet} if fleet else {}),
        }
        lines = [line for name, table in tables.items() for line in _table(f"[{name}]", table)]
        lines += _table("[[models]]", {"name": "tiny", "bundle": "tiny-1.0.0.edge", **(model or {})})
        lines += _table("[models.trial]", {"predictions": 0, "serve_s": 0, **(trial or {})})
        lines += _table("[models.source]", source)
        self.config.write_text("\n".join(lines) + "\n")
        self.bundle()

    def bundle(self, version: str = "1.0.0", **options: Any) -> Path:
        """A bundle of the tiny model, in the device's folder."""
        path = self.folder / f"tiny-{version}.edge"
        path.write_bytes(tiny_bundle(version=version, **options))
        return path

    def start(self, prefix: Sequence[str] = ()) -> "AgentRig":
        """Start and wait until it serves, or says why not, and what it runs is confirmed where no
        `trial` is asked for; `prefix` is a command that starts it."""
        self.start_without_waiting(prefix)
        wait_for(lambda: self.is_ready or not self.alive, "the agent to be ready")
        wait_for(lambda: self._serves_or_says or not self.alive, "what is installed to run")
        if not self._trial:  # what a test sends next must not be the trial's fault
            wait_for(lambda: self._confirmed or not self.alive, "what runs to be confirmed")
        assert self.alive, self.said
        return self

    def start_without_waiting(self, prefix: Sequence[str] = ()) -> None:
        self._ready.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*prefix, *self.program, "run", "--config", self.config, "--ready-file", self._ready],
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
            )

    @property
    def _serves_or_says(self) -> bool:
        """On a busy machine an agent is ready, after 10 s, before anything runs."""
        if "tiny" in self.ready["running"]:
            return True
        store = Store(self.data / "store")
        says = told(store)
        if says is None or says.waits or says.pending:
            return True
        now = store.state().models.get("tiny", ModelState())
        return not (now.active or now.pending)

    @property
    def _confirmed(self) -> bool:
        running = self.ready["running"].get("tiny")
        if running is None:
            return True
        model = self.model()
        return model.active is not None and model.slots[model.active].version == running

    @property
    def said(self) -> str:
        return self.log.read_text()

    @property
    def ready(self) -> dict[str, Any]:
        """What the ready file says now."""
        return dict(json.loads(self._ready.read_text()))

    @property
    def is_ready(self) -> bool:
        return self._ready.exists()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process that was started: `prefix`'s, if there was one."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL: no last words."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; its exit status."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(15)

    def close(self) -> None:
        if self.alive:
            self.kill()

    def command(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Another `edge-runtime` command, on this device's store, to its end."""
        words = [str(word) for word in (COMMAND, *arguments)]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)

    def install(self, bundle: Path, *options: object) -> subprocess.CompletedProcess[str]:
        return self.command("install", bundle, "--store", self.data / "store", *options)

    def model(self) -> ModelState:
        return Store(self.data / "store").state().models["tiny"]

    def rows(self) -> list[Row]:
        """All rows in the outbox, in order, whoever else has it open."""
        with closing(sqlite3.connect(f"file:{self.data}/outbox.db?mode=ro", uri=True)) as database:
            bodies = database.execute("SELECT body FROM rows ORDER BY id").fetchall()
        return [msgspec.json.decode(body, type=Row) for (body,) in bodies]

    def outbox_counts(self) -> Counts:
        counts = read_counts(self.data / "outbox.db")
        assert counts is not None
        return counts

    def predictions(self) -> list[Prediction]:
        return [row for row in self.rows() if isinstance(row, Prediction)]

    def events(self, name: str = "") -> list[Event]:
        return [row for row in self.rows() if isinstance(row, Event) and name in ("", row.event)]

    def metrics(self) -> list[Metrics]:
        return [row for row in self.rows() if isinstance(row, Metrics)]

    def starts(self) -> list[int]:
        """The first sample numbers of all windows that were predicted, in order."""
        return [row.first for row in self.predictions()]


@contextmanager
def device(folder: Path, sensor_url: str, **options: Any) -> Iterator[AgentRig]:
    """A device whose agent is not started yet; it is ended at the end."""
    rig = AgentRig(folder, sensor_url, **options)
    try:
        yield rig
    finally:
        rig.close()


@contextmanager
def agent(folder: Path, sensor_url: str, **options: Any) -> Iterator[AgentRig]:
    """A running agent, ended at the end."""
    with device(folder, sensor_url, **options) as rig:
        yield rig.start()


def _table(header: str, values: Mapping[str, Any]) -> list[str]:
    return [header, *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
