"""The running loop: brokers, collector, agent and sensor, and what is done to them on the way."""

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleet_record import FleetRecord
from ledgers import expected_starts
from processes import COMMAND, Processes, command, kill_pid, wait_for
from steps import follow, step
from train import RECORDING_LENGTH, held_out

from edge_runtime.telemetry.outbox import Outbox

DEVICE = "watch-01"
MODEL = "motion"
SENSOR = Path(__file__).with_name("sensor.py")
OUTAGE_S = 6.0
CONFIG = """\
[device]
id = "{device}"
data = "device"
trust = "keys/root.json"

[fleet]
url = "mqtt://127.0.0.1:{fleet_port}"

[telemetry]
interval_s = 2

[[models]]
name = "{model}"
bundle = "motion-1.0.0.edge"

[models.trial]
serve_s = 2

[models.source]
url = "mqtt://127.0.0.1:{sensor_port}"
topic = "sensors/watch"
"""


@dataclass
class Loop:
    """`incidents`: what was done, and the number of the sample that was played at that moment.
    `believed_to_run`: the version the fleet's record names just before the agent is stopped.
    `outage`: from when to when the fleet side was dead, Unix times in seconds."""

    folder: Path
    processes: Processes
    incidents: dict[str, int] = field(default_factory=dict)
    outage: tuple[float, float] = (0.0, 0.0)
    believed_to_run: str = ""
    agent_exit_status: int | None = None
    _ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fleet = FleetRecord(self.folder / "fleet", DEVICE, MODEL)
        self.total_samples = len(held_out()[1]) * RECORDING_LENGTH

    def start(self) -> None:
        with step("start the sensor broker, the fleet broker and the collector"):
            self._start_broker("sensor-broker")
            self._start_broker("fleet-broker")
            self._start_collector()
        config = CONFIG.format(
            device=DEVICE,
            model=MODEL,
            fleet_port=self._ports["fleet-broker"],
            sensor_port=self._ports["sensor-broker"],
        )
        (self.folder / "agent.toml").write_text(config)
        with step("start the agent: verify, install, replay the golden inputs, activate"):
            self._start_agent()
            wait_for(lambda: self.fleet.running_version() == "1.0.0", "the fleet to hear of 1.0.0")

    def play_and_interfere(self) -> None:
        """Play the stream; meanwhile update, roll back, and kill everything that can be killed."""
        print("  play the held-out recordings, sample by sample, as one stream")
        port, ledger = self._ports["sensor-broker"], self.folder / "sent.json"
        self.processes.spawn("sensor", sys.executable, SENSOR, "--port", port, "--ledger", ledger)
        self._play_until(0.20)
        self._change("install 1.1.0", "1.1.0", "install", self.folder / "motion-1.1.0.edge")
        self._play_until(0.35)
        self._change("roll back", "1.0.0", "rollback")
        self._play_until(0.50)
        self._kill_everything()
        self._play_until(1.0)
        wait_for(lambda: self.sent().get("done"), "the sensor's last acknowledgement")

    def deliver(self, stride: int) -> None:
        """Wait until the fleet has stored every window, then stop the agent as systemd would."""
        windows = len(expected_starts(self.total_samples, RECORDING_LENGTH, stride))
        with step("wait until the fleet has stored them all"):
            wait_for(
                lambda: self.fleet.window_count() >= windows, f"{windows} windows in the fleet's store"
            )
        self.believed_to_run = self.fleet.running_version()
        with step("stop the agent with SIGTERM"):
            self.agent_exit_status = self.processes.stop("agent")

    def outbox_last_seq(self) -> int:
        """The number of the last row the device ever made; asked once the agent has ended."""
        with Outbox(self.folder / "device" / "outbox.db") as outbox:
            return outbox.counts().last_seq

    def sent(self) -> dict[str, Any]:
        """The sensor's own ledger."""
        try:
            return json.loads((self.folder / "sent.json").read_text())
        except FileNotFoundError:
            return {"sent": 0}

    def played(self) -> int:
        return int(self.sent()["sent"])

    def _kill_everything(self) -> None:
        """The agent, its worker, the collector, the fleet broker: SIGKILL, one after the other."""
        self._note("kill agent")
        self.processes.kill("agent")
        self._start_agent()
        self._play_until(0.55)
        worker = self._worker_pid()
        self._note("kill worker")
        kill_pid(worker)
        wait_for(lambda: self._worker_pid() not in (worker, None), "a new worker")
        self._play_until(0.60)
        self._note("kill collector")
        self.processes.kill("collector")
        self._play_until(0.63)
        self._note("kill fleet broker")
        kill_pid(self.processes.ready("fleet-broker")["children"]["broker"])
        self.processes.kill("fleet-broker")  # which would start it again
        dead_since = time.time()
        print(f"    the fleet side is dead for {OUTAGE_S:.0f} s", flush=True)
        time.sleep(OUTAGE_S)
        self.outage = (dead_since, time.time())
        self._note("start fleet again")
        self._start_broker("fleet-broker")
        self._start_collector()

    def _change(self, what: str, version: str, *arguments: object) -> None:
        self._note(what)
        command(*arguments, "--store", self.folder / "device" / "store")
        wait_for(lambda: self.fleet.running_version() == version, f"the fleet to hear of {version}")

    def _start_broker(self, name: str) -> None:
        listen = f"127.0.0.1:{self._ports.get(name, 0)}"
        data = self.folder / name
        ready = self.processes.start(
            name, COMMAND, "fleet", "broker", "--data", data, "--listen", listen
        )
        self._ports[name] = int(ready["port"])

    def _start_collector(self) -> None:
        broker = f"mqtt://127.0.0.1:{self._ports['fleet-broker']}"
        data = self.folder / "fleet"
        self.processes.start("collector", COMMAND, "fleet", "serve", "--data", data, "--broker", broker)

    def _start_agent(self) -> None:
        self.processes.start("agent", COMMAND, "run", "--config", self.folder / "agent.toml")

    def _worker_pid(self) -> int | None:
        return self.processes.ready("agent")["workers"].get(MODEL)

    def _play_until(self, share: float) -> None:
        follow(self._progress, lambda: self.played() >= self.total_samples * share, self.processes.check)

    def _progress(self) -> str:
        return (
            f"{self.played()} of {self.total_samples} samples played, "
            f"{self.fleet.window_count()} windows stored by the fleet"
        )

    def _note(self, what: str) -> None:
        sample = self.played()
        self.incidents[what] = sample
        print(f"    sample {sample}: {what}", flush=True)
