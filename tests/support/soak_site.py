"""The place of a soak: two brokers that keep what they took, a collector, one agent, and their ends."""

import os
import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.support.agent import AgentRig
from tests.support.brokers import NatsServer
from tests.support.fleet_process import FleetProcess, fleet_process
from tests.support.footprint import Held, folder_bytes, left_behind, settled
from tests.support.in_use import InUse, in_use, telling
from tests.support.soak_plan import Incident
from tests.support.waiting import wait_for

# Above the brokers' `ack_wait` of 5 s, after which they send again what was in flight.
_REDELIVERY_S = 15.0
_LOAD_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Reading:
    """What the device holds at one moment; `life` counts the agent's processes, `worker` is one's id,
    `in_use` is the agent's, bytes are of files."""

    at_s: float
    life: int
    worker: int
    held: Held
    in_use: InUse
    outbox_rows: int
    outbox_bytes: int
    store_bytes: int
    journal_bytes: int


class Site:
    """A context manager: everything runs within, nothing afterwards. `good`: versions that were
    installed and confirmed, in order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.good = ["1.0.0"]
        self.refused = 0
        self.life = 1
        self.fleet_folder = folder / "fleet"
        self._began = time.monotonic()
        self._stack = ExitStack()
        self._number = 0

    def __enter__(self) -> "Site":
        with ExitStack() as stack:
            self.sensor_broker = stack.enter_context(NatsServer(self.folder / "sensor-broker"))
            self._fleet_broker = stack.enter_context(NatsServer(self.folder / "fleet-broker"))
            data, url = self.fleet_folder, self._fleet_broker.url
            self._collector: FleetProcess = stack.enter_context(
                fleet_process(self.folder / "collector", "serve", "--data", data, "--broker", url)
            )
            self._collector.ready()
            device = self.folder / "device"
            device.mkdir()
            self.rig = AgentRig(
                device,
                self.sensor_broker.url,
                fleet={"url": self._fleet_broker.url},
                trial={"predictions": 20, "serve_s": 0.2},
                model={"load_timeout_s": _LOAD_TIMEOUT_S},
                interval_s=5,
                redelivery_s=_REDELIVERY_S,
            )
            stack.callback(self.rig.close)
            self._telling = self.folder / "telling"
            self.rig.environment = telling(self._telling)
            self.rig.start()
            self._stack = stack.pop_all()
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    def read(self) -> Reading:
        data = self.rig.data
        held = settled(self.rig.pid)
        return Reading(
            at_s=round(self.elapsed_s(), 1),
            life=self.life,
            worker=self._worker() or 0,
            held=held,
            in_use=in_use(self.rig.pid, self._telling),
            outbox_rows=self.rig.outbox_counts().rows,
            outbox_bytes=sum(path.stat().st_size for path in data.glob("outbox.db*")),
            store_bytes=folder_bytes(data / "store"),
            journal_bytes=folder_bytes(data / "journals"),
        )

    def befall(self, incident: Incident) -> None:
        """Do it, and return once everything that was killed runs again."""
        if incident.kind == "new version":
            self._install("good")
        elif incident.kind == "bad version":
            self._install(incident.spoilt)
        elif incident.kind == "worker killed":
            self._kill_worker()
        elif incident.kind == "agent killed":
            self._kill_agent(incident.away_s)
        elif incident.kind == "collector away":
            self._collector.kill()
            time.sleep(incident.away_s)
            self._collector.restart()
            self._collector.ready()
        else:
            at_sensor = incident.kind == "sensor's broker away"
            broker = self.sensor_broker if at_sensor else self._fleet_broker
            broker.kill()
            time.sleep(incident.away_s)
            broker.start()

    def stop_agent(self) -> int:
        """Its exit status; afterwards none of its workers is left."""
        status = self.rig.stop()
        wait_for(self._no_worker_is_left, "the last worker to be gone")
        return status

    def _install(self, behaviour: str) -> None:
        self._number += 1
        version = f"1.{self._number}.0"
        before = self.rig.model().active
        bundle = self.rig.bundle(version, seed=self._number, behaviour=behaviour)
        done = self.rig.install(bundle)
        bundle.unlink()
        if behaviour == "good":
            assert done.returncode == 0, done.stderr
            self.good.append(version)
        else:
            assert done.returncode != 0, f"{version}, which is bad ({behaviour}), was taken"
            assert self.rig.model().active == before, done.stderr
            self.refused += 1

    def _kill_worker(self) -> None:
        pid = wait_for(self._worker, "a worker")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self._worker() not in (None, pid), "another worker")

    def _kill_agent(self, away_s: float) -> None:
        self.rig.kill()
        wait_for(self._no_worker_is_left, "the workers to go with their agent")
        time.sleep(away_s)
        self.rig.start()
        self.life += 1

    def _worker(self) -> int | None:
        pid = self.rig.ready["workers"].get("tiny")
        return None if pid is None else int(pid)

    def _no_worker_is_left(self) -> bool:
        # Known by what they name: in an hour a machine gives the process id of one to another program.
        return not any("edge_runtime.worker" in words for words in left_behind(self.folder))
