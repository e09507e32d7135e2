"""What comes and goes for years leaves nothing behind: the kernel's counts before and after."""

import os
import signal
from pathlib import Path

import pytest

from tests.support.agent import AgentRig, device
from tests.support.brokers import Mosquitto
from tests.support.footprint import Held, settled
from tests.support.sensor import SensorRig
from tests.support.waiting import wait_for

pytestmark = pytest.mark.end_to_end


def test_workers_versions_and_connections_that_come_and_go_leave_no_process_thread_or_descriptor(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with device(tmp_path, broker.url, fleet={"url": broker.url}, model={"run_timeout_s": 0.5}) as rig:
        rig.start()
        come_and_go(rig, broker, 1)  # what is loaded or opened once, and stays
        before = at_rest(rig)
        assert before[0] == 2  # the agent and one worker
        for number in (2, 3):
            come_and_go(rig, broker, number)
        assert at_rest(rig) == before


def at_rest(rig: AgentRig) -> tuple[int, int, int]:
    """Processes, threads and descriptors of the agent and its worker."""
    held: Held = settled(rig.pid)
    return held.processes, held.threads, held.descriptors


def come_and_go(rig: AgentRig, broker: Mosquitto, number: int) -> None:
    """A worker that is killed and one that hangs, a good and a bad version, and the brokers' end."""
    another_worker_after(rig, signal.SIGKILL)
    with SensorRig(broker.url, segment=f"run-{number}") as sensor:
        another_worker_after(rig, signal.SIGSTOP, sensor)
    version = f"1.{number}.0"
    assert rig.install(rig.bundle(version, seed=number)).returncode == 0
    wait_for(lambda: rig.ready["running"] == {"tiny": version}, "the new version")
    bad = rig.bundle(f"1.{number}.1", behaviour="wrong_goldens")
    assert rig.install(bad).returncode == 8
    broker.kill()
    wait_for(lambda: not rig.ready["hears"]["tiny"] and not rig.ready["fleet"], "the brokers' end")
    broker.start()
    wait_for(lambda: rig.ready["hears"]["tiny"] and rig.ready["fleet"], "the brokers again")


def another_worker_after(rig: AgentRig, number: signal.Signals, sensor: SensorRig | None = None) -> None:
    old = rig.ready["workers"]["tiny"]
    os.kill(old, number)
    if sensor:
        sensor.send(20)
    wait_for(lambda: rig.ready["workers"].get("tiny") not in (None, old), "another worker")
