"""What fails for the machine's fault is not held to be bad, and runs again once that is mended."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.agent import AgentRig, agent, device
from tests.support.broken_library import breaking
from tests.support.brokers import Mosquitto
from tests.support.faulty_disk import faults
from tests.support.footprint import children
from tests.support.own_engine import own_engine
from tests.support.sensor import SensorRig
from tests.support.waiting import wait_for

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def rig(tmp_path: Path, broker: Mosquitto) -> Iterator[AgentRig]:
    """A device that runs 1.1.0 and has 1.0.0 as its way back."""
    with agent(tmp_path, broker.url) as rig:
        assert rig.install(rig.bundle("1.1.0", seed=1)).returncode == 0
        yield rig


def test_a_broken_engine_leaves_every_version_and_once_mended_all_is_as_before(
    rig: AgentRig, tmp_path: Path
) -> None:
    before = rig.model()
    rig.stop()

    why = "libonnxruntime.so: undefined symbol"
    rig.environment = breaking("onnxruntime", why, tmp_path / "site")
    rig.start()
    (told,) = wait_for(lambda: rig.events("model cannot start"), "the event")
    assert "needs onnxruntime (it cannot be imported: libonnxruntime.so" in told.detail
    done = rig.install(rig.bundle("1.2.0", seed=2), "--wait", "3")
    assert done.returncode == 7
    wait_for(lambda: rig.events("trial failed"), "the event of the new version")
    now = rig.model()
    assert (now.active, now.previous, now.bad) == (before.active, before.previous, {})
    rig.stop()

    rig.environment = {}
    rig.start()
    wait_for(lambda: rig.ready["running"] == {"tiny": "1.2.0"}, "the new version")
    wait_for(lambda: rig.model().previous == before.active, "its confirm")


@contextmanager
def killing_new_workers(rig: AgentRig, count: int) -> Iterator[list[int]]:
    """SIGKILL to the next processes that the agent starts, while they load."""
    known, killed, stop = set(children(rig.pid)), list[int](), threading.Event()

    def kill() -> None:
        while not stop.wait(0.002) and len(killed) < count:
            for pid in children(rig.pid):
                if pid not in known:
                    known.add(pid)
                    killed.append(pid)
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join()


def test_a_way_back_whose_process_is_killed_while_it_loads_is_kept(
    tmp_path: Path, broker: Mosquitto
) -> None:
    kills = tmp_path / "kills"
    load = f"""
        if os.path.exists({str(kills)!r}):
            os.remove({str(kills)!r})
            os.kill(os.getpid(), 9)
    """
    rig = AgentRig(tmp_path, broker.url)
    rig.environment = own_engine(tmp_path, load=load)
    rig.bundle(engine="own")
    try:
        rig.start()
        assert rig.install(rig.bundle("1.1.0", seed=1)).returncode == 0
        before = rig.model()
        kills.touch()
        done = rig.command("rollback", "--store", rig.data / "store")

        assert done.returncode == 7, done.stderr
        assert "what loaded it was ended" in done.stderr
        assert "Version 1.1.0 goes on running." in done.stderr
        assert rig.model() == before
        (told,) = wait_for(lambda: rig.events("trial failed"), "the event")
        assert told.version == "1.0.0"
        assert "in loading, the worker process" in told.detail
        assert "was ended by SIGKILL" in told.detail
        assert rig.command("rollback", "--store", rig.data / "store").returncode == 0
        wait_for(lambda: rig.ready["running"] == {"tiny": "1.0.0"}, "the way back")
    finally:
        rig.close()


def test_a_way_back_whose_process_is_killed_before_it_loads_anything_is_tried_again(
    rig: AgentRig,
) -> None:
    with killing_new_workers(rig, 1):
        assert rig.command("rollback", "--store", rig.data / "store").returncode == 0
    wait_for(lambda: rig.ready["running"] == {"tiny": "1.0.0"}, "the way back")
    (told,) = rig.events("trial failed")
    assert "in looking for what can run, the worker process" in told.detail


def test_a_new_version_whose_process_is_killed_while_it_loads_has_its_other_attempts(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with agent(tmp_path, broker.url, trial={"attempts": 3}) as rig:
        with killing_new_workers(rig, 2) as killed:
            done = rig.install(rig.bundle("1.1.0", seed=1))

        assert len(killed) == 2
        assert done.returncode == 0, done.stderr
        wait_for(lambda: rig.ready["running"] == {"tiny": "1.1.0"}, "the new version")


def test_files_that_cannot_be_read_now_are_kept_and_served_once_they_can(rig: AgentRig) -> None:
    before = rig.model()
    rig.stop()
    folder = rig.data / "store" / "slots" / "tiny" / str(before.active)
    mode = folder.stat().st_mode
    folder.chmod(0)

    as_modes_say = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]
    rig.start_without_waiting(as_modes_say if os.geteuid() == 0 else [])
    (told,) = wait_for(lambda: rig.events("model cannot start"), "the event")
    assert "Permission denied" in told.detail
    assert rig.model() == before
    folder.chmod(mode)
    wait_for(lambda: rig.is_ready, "the agent to be ready")
    wait_for(lambda: rig.ready["running"] == {"tiny": "1.1.0"}, "the active version")


def test_a_worker_that_cannot_be_started_now_is_started_once_it_can(
    tmp_path: Path, broker: Mosquitto
) -> None:
    off = tmp_path / "off"
    why = f"if os.path.exists({str(off)!r}): return 'it is switched off'"
    with device(tmp_path, broker.url) as rig:
        rig.environment = own_engine(tmp_path, why=why)
        rig.bundle(engine="own")
        rig.start()
        before = rig.model()
        off.touch()
        os.kill(rig.ready["workers"]["tiny"], signal.SIGKILL)
        (told,) = wait_for(lambda: rig.events("model cannot start"), "the event")
        assert "it is switched off" in told.detail

        off.unlink()
        wait_for(lambda: rig.ready["running"] == {"tiny": "1.0.0"}, "another worker")
        assert rig.model() == before


def test_an_outbox_on_a_bad_sector_is_left_alone_and_predictions_go_on(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with agent(tmp_path, broker.url) as rig, SensorRig(broker.url) as sensor:
        sensor.send(10)
        wait_for(lambda: len(rig.starts()) == 4, "predictions")
        rig.stop()

        rig.start(faults("pread64", "EIO", paths=[rig.data / "outbox.db"]))
        assert "disk I/O error" in rig.said
        assert "Rows are kept in memory meanwhile" in rig.said
        assert rig.ready["running"] == {"tiny": "1.0.0"}
        os.kill(rig.ready["pid"], signal.SIGTERM)
        wait_for(lambda: not rig.alive, "the end")

        rig.start()
        sensor.send(10)
        wait_for(lambda: len(rig.starts()) == 9, "predictions, behind those of before")
        assert not list(rig.data.glob("outbox.db.corrupt-*"))
