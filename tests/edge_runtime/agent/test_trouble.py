"""A device whose disk, store or outbox fails under its agent: what runs runs on, and it is told."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.support.agent import AgentRig, agent
from tests.support.brokers import Mosquitto
from tests.support.faulty_disk import faults
from tests.support.sensor import SensorRig
from tests.support.waiting import wait_for

pytestmark = pytest.mark.end_to_end


def wait_for_starts(rig: AgentRig, samples: int) -> None:
    expected = list(range(0, samples - 3, 2))
    wait_for(lambda: len(rig.starts()) >= len(expected) or not rig.alive, "the predictions")
    assert rig.starts() == expected


def test_a_state_that_is_damaged_at_work_is_told_and_what_runs_runs_on(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with agent(tmp_path, broker.url) as rig, SensorRig(broker.url) as sensor:
        state = rig.data / "store" / "state.json"
        good = state.read_bytes()
        state.write_bytes(good[:100])
        wait_for(lambda: rig.events("store trouble"), "the event")
        sensor.send(50)
        wait_for_starts(rig, 50)
        assert rig.install(rig.bundle("1.1.0", seed=1)).returncode == 7
        assert state.read_bytes() == good[:100]
        (told,) = rig.events("store trouble")
        assert "Put a copy of the file back, or move the store away" in told.detail

        state.write_bytes(good)
        assert rig.install(rig.folder / "tiny-1.1.0.edge").returncode == 0
        wait_for(lambda: rig.ready["running"] == {"tiny": "1.1.0"}, "the new version")


def test_files_of_the_version_that_runs_may_vanish_and_come_back_by_the_same_install(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with agent(tmp_path, broker.url) as rig, SensorRig(broker.url) as sensor:
        shutil.rmtree(rig.data / "store" / "slots")
        sensor.send(50)
        wait_for_starts(rig, 50)  # what is loaded needs its files no more
        os.kill(rig.ready["workers"]["tiny"], signal.SIGKILL)
        wait_for(lambda: rig.events("model cannot start"), "the event")
        sensor.send(50)
        assert rig.install(rig.folder / "tiny-1.0.0.edge").returncode == 0
        wait_for_starts(rig, 100)


def test_a_state_that_is_damaged_at_the_start_ends_it_and_stays_as_it_is(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with agent(tmp_path, broker.url) as rig:
        rig.stop()
        state = rig.data / "store" / "state.json"
        state.write_bytes(b"{")
        done = rig.command("run", "--config", rig.config)
        assert done.returncode == 7
        assert "expected the store's state as it was written" in done.stderr
        assert state.read_bytes() == b"{"


def test_a_data_folder_that_cannot_be_made_ends_it_with_one_sentence(tmp_path: Path) -> None:
    rig = AgentRig(tmp_path, "mqtt://127.0.0.1:1")
    rig.data.write_text("a file")
    done = rig.command("run", "--config", rig.config)
    assert done.returncode == 11
    assert done.stderr.count("\n") == 1
    assert str(rig.data) in done.stderr


def test_rows_that_wait_survive_a_start_on_a_full_disk(tmp_path: Path, broker: Mosquitto) -> None:
    with agent(tmp_path, broker.url) as rig:
        with SensorRig(broker.url) as sensor:
            sensor.send(50)
            wait_for_starts(rig, 50)
        rig.stop()
        rig.start(["prlimit", "--fsize=2000"])
        assert rig.ready["running"] == {"tiny": "1.0.0"}
        rig.stop()
        rig.start()
        wait_for_starts(rig, 50)


def test_an_outbox_on_a_failing_card_costs_no_prediction(tmp_path: Path, broker: Mosquitto) -> None:
    """What only memory had when the agent ends is predicted again: its samples are in the ring."""
    rig = AgentRig(tmp_path, broker.url)
    rig.start()
    assert rig.stop() == 0
    files = [rig.data / name for name in ("outbox.db", "outbox.db-wal")]
    rig.start(faults("pwrite64", "EIO", when="20+", paths=files))
    try:
        worker = rig.ready["workers"]["tiny"]
        with SensorRig(broker.url) as sensor:

            def told() -> bool:
                sensor.send(10)
                return "rows in memory only: " in rig.said

            wait_for(told, "word of the memory")
            sensor.send(10)
            assert "the disk does not take the write" in rig.said
            assert rig.ready["workers"]["tiny"] == worker
            os.kill(rig.ready["pid"], signal.SIGTERM)
            wait_for(lambda: not rig.alive, "the end")
            assert rig.said.count("the disk does not take the write") == 1
            rig.start()
            wait_for_starts(rig, sensor.sent)
    finally:
        rig.close()


def test_a_journal_that_is_damaged_begins_anew_and_is_told(tmp_path: Path, broker: Mosquitto) -> None:
    with agent(tmp_path, broker.url) as rig, SensorRig(broker.url) as sensor:
        sensor.send(50)
        wait_for_starts(rig, 50)
        rig.stop()
        (ring,) = (rig.data / "journals").iterdir()
        ring.write_bytes(b"x" * 1000)
        rig.start()
        (told,) = wait_for(lambda: rig.events("journal broken"), "the event")
        assert told.model == "tiny"
        assert "warning tiny: journal broken: tiny.ring was broken" in rig.said
        sensor.send(20)
        wait_for(lambda: rig.starts()[-1] == 66, "predictions after it")


def test_an_outbox_that_is_damaged_is_told_on_the_device_too(tmp_path: Path, broker: Mosquitto) -> None:
    with agent(tmp_path, broker.url) as rig:
        rig.stop()
        (rig.data / "outbox.db").write_bytes(b"x" * 1000)
        rig.start()
        assert "error   outbox broken: outbox.db was broken (" in rig.said
        assert rig.events("outbox broken")


SHIFTED_CLOCK = """
import os, time
now = time.time
def shifted():
    with open(os.environ["CLOCK_SHIFT"]) as file:
        return now() + float(file.read())
time.time = shifted
"""


def shift_clock(rig: AgentRig, seconds: float) -> None:
    (rig.folder / "new").write_text(str(seconds))
    (rig.folder / "new").rename(rig.environment["CLOCK_SHIFT"])


def test_a_clock_that_jumps_to_1970_and_to_now_changes_no_window_no_trial_and_no_row_but_its_time(
    tmp_path: Path, broker: Mosquitto
) -> None:
    trial = {"predictions": 5, "serve_s": 2}
    rig = AgentRig(tmp_path, broker.url, fleet={"url": broker.url}, trial=trial)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SHIFTED_CLOCK)
    path = os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")])
    rig.environment = {"PYTHONPATH": path, "CLOCK_SHIFT": str(tmp_path / "shift")}
    shift_clock(rig, -30 * 365 * 86_400)
    rig.start()
    try:
        with SensorRig(broker.url) as sensor:
            sensor.send(50)
            wait_for_starts(rig, 50)
            shift_clock(rig, -time.time())
            sensor.send(50)
            wait_for(lambda: rig.events("confirmed"), "the confirm, though the clock went back")
            wait_for_starts(rig, 100)
            shift_clock(rig, 0)
            sensor.send(50)
            wait_for_starts(rig, 150)
        assert 0 < rig.predictions()[48].time < 86_400
        assert rig.predictions()[-1].time == pytest.approx(time.time(), abs=3_600)
        assert [row.seq for row in rig.rows()] == list(range(1, len(rig.rows()) + 1))
    finally:
        rig.close()
