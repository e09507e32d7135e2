"""An agent under a service manager: what it hears over a real socket, and how the agent ends."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.agent import AgentRig
from tests.support.brokers import Mosquitto
from tests.support.manager import ManagerSocket
from tests.support.own_engine import own_engine
from tests.support.sensor import SensorRig
from tests.support.tiny_bundle import tiny_bundle
from tests.support.waiting import wait_for

pytestmark = pytest.mark.end_to_end

WATCHDOG_S = 1.0
STOP_S = 10.0  # a third of the unit's TimeoutStopSec


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ManagerSocket]:
    with ManagerSocket(tmp_path) as manager, manager.listening():
        yield manager


def managed(folder: Path, manager: ManagerSocket, url: str, **options: object) -> AgentRig:
    rig = AgentRig(folder, url, **options)  # type: ignore[arg-type]
    rig.environment = manager.environment(WATCHDOG_S)
    return rig


def test_it_is_ready_when_it_serves_and_tells_what(
    tmp_path: Path, broker: Mosquitto, manager: ManagerSocket
) -> None:
    rig = managed(tmp_path, manager, broker.url)
    try:
        rig.start_without_waiting()
        manager.wait_for("READY=1")
        assert manager.heard[: manager.heard.index("READY=1")] == [
            *["WATCHDOG=1"] * (manager.heard.index("READY=1") - 1),
            "STATUS=tiny 1.0.0 hears its sensor",
        ]
        broker.kill()
        manager.wait_for("STATUS=tiny 1.0.0 does not hear its sensor")
        assert rig.stop() == 0
        assert "STOPPING=1" in manager.listen()
    finally:
        rig.close()


def test_a_device_with_nothing_to_serve_is_ready_and_says_so(tmp_path: Path) -> None:
    with ManagerSocket(tmp_path, abstract=True) as manager:
        rig = managed(tmp_path, manager, "mqtt://127.0.0.1:1")
        (tmp_path / "tiny-1.0.0.edge").unlink()
        try:
            rig.start_without_waiting()
            manager.wait_for("READY=1")
            (told,) = [line for line in manager.heard if line.startswith("STATUS=")]
            assert told.startswith("STATUS=nothing to serve yet; tiny does not run: ")
            assert "tiny-1.0.0.edge" in told
        finally:
            rig.close()


def test_why_a_version_waits_is_not_said_of_the_one_that_takes_its_place(
    tmp_path: Path, broker: Mosquitto, manager: ManagerSocket
) -> None:
    rig = managed(tmp_path, manager, broker.url)
    rig.environment |= own_engine(tmp_path, why="return 'it is switched off'")
    try:
        rig.start()
        rig.install(rig.bundle("1.1.0", engine="own"), "--wait", "0")
        assert "it is switched off" in manager.wait_for("hears its sensor, 1.1.0 waits: ")
        assert rig.install(rig.bundle("1.2.0", seed=1)).returncode == 0
        manager.wait_for("STATUS=tiny 1.2.0 hears its sensor")
        assert "1.2.0 waits" not in "".join(manager.heard)
    finally:
        rig.close()


def test_the_watchdog_hears_of_the_main_loop_and_of_nothing_else(
    tmp_path: Path, broker: Mosquitto, manager: ManagerSocket
) -> None:
    """The loop is stalled by a state file that never ends; threads and workers go on."""
    rig = managed(tmp_path, manager, broker.url)
    try:
        rig.start()
        wait_for(lambda: manager.beats() > 3, "the watchdog's beats")
        state = rig.data / "store" / "state.json"
        shutil.copy(state, tmp_path / "state.json")
        os.mkfifo(tmp_path / "endless")
        os.rename(tmp_path / "endless", state)
        with SensorRig(broker.url) as sensor:
            wait_for(lambda: manager.silent_for(WATCHDOG_S), "the loop to stand")
            sensor.send(20)
            wait_for(lambda: len(rig.starts()) >= 9, "predictions while the loop stands")
        assert manager.silent_for(2 * WATCHDOG_S)
        assert rig.alive
    finally:
        rig.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_bounded_time_with_status_0_and_keeps_what_was_not_sent(
    tmp_path: Path, broker: Mosquitto, manager: ManagerSocket, number: signal.Signals
) -> None:
    fleet = {"url": "mqtt://127.0.0.1:1"}
    rig = managed(tmp_path, manager, broker.url, fleet=fleet)
    try:
        rig.start()
        worker = rig.ready["workers"]["tiny"]
        with SensorRig(broker.url) as sensor:
            sensor.send(50)
            wait_for(lambda: len(rig.starts()) >= 24, "the predictions")
        began = time.monotonic()
        assert rig.stop(number) == 0
        assert time.monotonic() - began < STOP_S
        assert not Path(f"/proc/{worker}").exists()
        assert rig.starts() == list(range(0, 47, 2))
        assert "Traceback" not in rig.said
    finally:
        rig.close()


def test_it_ends_in_bounded_time_however_many_workers_hang(tmp_path: Path, broker: Mosquitto) -> None:
    rig = AgentRig(tmp_path, broker.url, model={"run_timeout_s": 600})
    names = ["tiny", *(f"tiny-{number}" for number in range(4))]
    for name in names[1:]:
        (tmp_path / f"{name}.edge").write_bytes(tiny_bundle(name=name))
        source = f'url = "{broker.url}"\ntopic = "sensors/watch"'
        with rig.config.open("a") as file:
            file.write(f'[[models]]\nname = "{name}"\nbundle = "{name}.edge"\nrun_timeout_s = 600\n')
            file.write(f"[models.source]\n{source}\n")
    try:
        rig.start()
        wait_for(lambda: set(rig.ready["workers"]) == set(names), "all workers")
        for pid in rig.ready["workers"].values():
            os.kill(pid, signal.SIGSTOP)
        with SensorRig(broker.url) as sensor:
            sensor.send(20)
        time.sleep(0.5)
        began = time.monotonic()
        assert rig.stop() == 0
        assert time.monotonic() - began < STOP_S
    finally:
        rig.close()
