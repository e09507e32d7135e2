"""One run of an agent under strace, which several tests look at."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import traced
from tests.support.agent import AgentRig
from tests.support.brokers import Mosquitto
from tests.support.programs import program
from tests.support.sensor import SensorRig
from tests.support.waiting import wait_for


@dataclass(frozen=True)
class TracedRun:
    """What an agent did from its start to its clean end, and whom it was told to talk to."""

    trace: traced.Trace
    folder: Path
    ports: dict[str, int]
    said: str


@pytest.fixture(scope="session")
def traced_run(tmp_path_factory: pytest.TempPathFactory) -> TracedRun:
    """An agent that installs, hears its sensor, predicts, loses a worker, sends, and ends."""
    program("strace")
    folder = tmp_path_factory.mktemp("traced")
    with Mosquitto(folder / "sensors") as sensors, Mosquitto(folder / "fleet") as fleet:
        there = f"mqtt://localhost:{fleet.port}"
        rig = AgentRig(
            folder, sensors.url, fleet={"url": there, "acknowledge": "broker"}, interval_s=0.5
        )
        try:
            rig.start(traced.command(folder / "trace"))
            agent = rig.ready["pid"]
            with SensorRig(sensors.url) as sensor:
                sensor.send(100)
                wait_for(lambda: rig.ready["fleet"], "the fleet's broker")
                os.kill(rig.ready["workers"]["tiny"], signal.SIGKILL)
                wait_for(lambda: "worker died" in rig.said, "word of the worker")
                sensor.send(100)
            wait_for(lambda: rig.outbox_counts().rows == 0, "an empty outbox")
            os.kill(agent, signal.SIGTERM)
            wait_for(lambda: not rig.alive, "the end")
        finally:
            rig.close()
    ports = {"sensors": sensors.port, "fleet": fleet.port}
    return TracedRun(traced.Trace(folder / "trace"), folder, ports, rig.said)
