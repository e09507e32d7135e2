"""A real agent's trials, as somebody sees them who watches the fleet."""

import os
import signal
from pathlib import Path

import pytest

from devices.fleet.reader import Reader
from devices.fleet.status import as_text, read
from tests.support.agent import AgentRig, agent
from tests.support.brokers import Mosquitto
from tests.support.fleet_process import fleet_process
from tests.support.waiting import wait_for

pytestmark = pytest.mark.end_to_end

TRIAL = {"predictions": 1_000, "attempts": 2}  # more than come here: people confirm
EVENTS = ("on trial", "trial failed", "confirmed", "rejected", "activated")


def see(folder: Path, words: str, *, gone: bool = False) -> None:
    """Wait until `fleet status` says so, or no more."""

    def shown() -> bool:
        if not (folder / "fleet.db").exists():
            return False
        return (words in as_text(read(folder, "watch-01", with_history=False))) is not gone

    wait_for(shown, f"the fleet to be told: {words}")


def story(folder: Path) -> list[tuple[str, str]]:
    """Events of trials, and the versions they are about."""
    with Reader(folder) as reader:
        entries = reader.history("watch-01")
    return [(entry.what, entry.version) for entry in entries if entry.what in EVENTS]


def kill_worker(rig: AgentRig, version: str, before: int = 0) -> int:
    """SIGKILL, once the worker of that version serves; its process id. `before`: another one's."""
    wait_for(
        lambda: (
            rig.ready["running"] == {"tiny": version} and rig.ready["workers"].get("tiny", 0) != before
        ),
        f"the worker of {version}",
    )
    worker: int = rig.ready["workers"]["tiny"]
    os.kill(worker, signal.SIGKILL)
    return worker


def begin_trial(rig: AgentRig, version: str) -> None:
    bundle = rig.bundle(version, seed=int(version[2]))
    done = rig.install(bundle, "--wait", "0")
    assert done.returncode == 7, done.stderr


def command(rig: AgentRig, name: str) -> None:
    done = rig.command(name, "--store", rig.data / "store")
    assert done.returncode == 0, done.stderr


def test_a_trial_its_failure_a_confirm_and_a_roll_back_are_shown(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with (
        Mosquitto(tmp_path / "sensors") as sensors,
        fleet_process(tmp_path, "serve", "--data", data, "--listen", "127.0.0.1:0") as collector,
        agent(
            tmp_path,
            sensors.url,
            fleet={"url": f"mqtt://127.0.0.1:{collector.port()}"},
            trial=TRIAL,
        ) as rig,
    ):
        see(data, "tiny: 1.0.0 on trial, 1 of 2 attempts left")
        command(rig, "confirm")
        see(data, "on trial", gone=True)
        begin_trial(rig, "1.1.0")
        see(data, "tiny 1.1.0 as fp32 on cpu (on trial)")
        first = kill_worker(rig, "1.1.0")
        see(data, "tiny: 1.1.0 on trial, 0 of 2 attempts left, last: ")
        kill_worker(rig, "1.1.0", first)
        see(data, "tiny: 1.1.0 rejected: 2 of 2 attempts of its trial failed; the last: ")

        begin_trial(rig, "1.2.0")
        see(data, "tiny 1.2.0 as fp32 on cpu (on trial)")
        command(rig, "confirm")
        see(data, "rejected", gone=True)
        command(rig, "rollback")
        see(data, "tiny: rolled back to 1.0.0, from 1.2.0")
        expected = [
            ("on trial", "1.0.0"),
            ("confirmed", "1.0.0"),
            ("on trial", "1.1.0"),
            ("trial failed", "1.1.0"),
            ("on trial", "1.1.0"),
            ("rejected", "1.1.0"),
            ("on trial", "1.2.0"),
            ("confirmed", "1.2.0"),
            ("activated", "1.0.0"),
        ]
        wait_for(lambda: len(story(data)) >= len(expected), "the last event")
        assert story(data) == expected
