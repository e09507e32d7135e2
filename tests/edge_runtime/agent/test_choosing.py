"""A running agent measures the variants of a bundle, serves the best of them, and remembers which."""

import os
import re
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge_runtime.choice import record
from edge_runtime.choice.record import Record
from edge_runtime.engine.candidate import Candidate
from tests.support.agent import AgentRig, agent, device
from tests.support.brokers import Mosquitto
from tests.support.footprint import children, is_there
from tests.support.own_engine import own_engine
from tests.support.sensor import SensorRig
from tests.support.thermal import Thermal
from tests.support.tiny_bundle import Behaviour, tiny_bundle
from tests.support.waiting import wait_for

pytestmark = pytest.mark.end_to_end

SLOW, FAST = Candidate("slow", "cpu"), Candidate("fast", "cpu")
SEVERAL: Mapping[str, Behaviour] = {"wrong": "wrong", "slow": "slow", "fast": "good"}


def path(rig: AgentRig) -> Path:
    active = rig.model().active
    assert active is not None
    return record.path_of(rig.data / "store", "tiny", active)


def recorded(rig: AgentRig) -> Record:
    found = record.read(path(rig))
    assert found is not None
    return found


def choices(rig: AgentRig) -> list[str]:
    return [event.detail for event in rig.events("variant chosen")]


def test_the_fastest_that_proves_itself_serves_and_the_next_start_measures_nothing(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with device(tmp_path, broker.url) as rig:
        rig.bundle(variants=SEVERAL)
        rig.start()

        assert rig.ready["variants"] == {"tiny": "fast"}
        found = recorded(rig)
        assert found.chosen == FAST
        by_name = {row.candidate: row for row in found.rows}
        assert (by_name[SLOW].p50_us or 0) > (by_name[FAST].p50_us or 0) > 0
        assert "golden inputs" in by_name[Candidate("wrong", "cpu")].why_not
        (told,) = wait_for(lambda: choices(rig), "the event")
        assert told.startswith("fast on cpu, of: wrong on cpu cannot serve: tiny 1.0.0: expected the")
        assert rig.model().bad == {}

        before = path(rig).stat()
        rig.stop()
        rig.start()
        assert rig.ready["variants"] == {"tiny": "fast"}
        time.sleep(1)
        assert path(rig).stat() == before
        assert len(choices(rig)) == 1
        assert rig.events("variant changed") == []


@pytest.mark.parametrize("spoil", ["damaged", "of another machine"])
def test_what_is_not_recorded_is_measured_beside_what_serves_and_no_window_is_lost(
    tmp_path: Path, broker: Mosquitto, spoil: str
) -> None:
    with device(tmp_path, broker.url) as rig:
        rig.bundle(variants=SEVERAL)
        rig.start()
        wait_for(lambda: choices(rig), "the first choice")
        rig.stop()
        if spoil == "damaged":
            path(rig).write_bytes(path(rig).read_bytes()[:-50])
        else:
            raw = path(rig).read_text().replace('"machine":"', '"machine":"another ')
            path(rig).write_text(raw)

        with SensorRig(broker.url) as sensor:
            rig.start()
            assert rig.ready["variants"] == {"tiny": "slow"}  # the author's first that can serve
            sent = 0
            while rig.ready["variants"] == {"tiny": "slow"}:
                sensor.send(10)
                sent += 10
                time.sleep(0.05)
                assert sent < 10_000
            sensor.send(20)
            sent += 20
            wait_for(lambda: len(rig.starts()) >= (sent - 4) // 2 + 1, "all windows")

        assert rig.starts() == list(range(0, sent - 3, 2))
        ways = {(row.variant, row.provider) for row in rig.predictions()}
        assert ways == {("slow", "cpu"), ("fast", "cpu")}
        assert recorded(rig).chosen == FAST
        (changed,) = rig.events("variant changed")
        assert changed.detail == "to fast on cpu"
        assert len(choices(rig)) == 2


def test_where_nothing_runs_the_way_back_serves_first_and_is_measured_beside(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with device(tmp_path, broker.url) as rig:
        rig.bundle(variants=SEVERAL)
        rig.start()
        assert rig.install(rig.bundle("1.1.0", seed=1)).returncode == 0
        rig.stop()
        begun = len(rig.said)
        shutil.rmtree(rig.data / "store" / "choices")
        active = rig.data / "store" / "slots" / "tiny" / str(rig.model().active)
        model = active / "variants" / "fp32" / "model.onnx"
        model.chmod(0o644)
        model.write_bytes(model.read_bytes()[:-1] + b"\0")

        rig.start()
        wait_for(lambda: rig.ready["variants"] == {"tiny": "fast"}, "the best of the way back")
        assert rig.ready["running"] == {"tiny": "1.0.0"}
        said = rig.said[begun:]
        assert said.index("tiny 1.0.0: activated") < said.index("tiny 1.0.0: measures")
        assert [event.detail for event in rig.events("variant changed")] == ["to fast on cpu"]


@pytest.mark.parametrize(
    ("settings", "serves", "timed"),
    [
        ({"prefer": "author"}, "slow", True),
        ({"variant": "slow", "provider": "cpu"}, "slow", False),
    ],
)
def test_the_configuration_decides_where_it_says_so(
    tmp_path: Path, broker: Mosquitto, settings: dict[str, Any], serves: str, timed: bool
) -> None:
    with device(tmp_path, broker.url, model=settings) as rig:
        rig.bundle(variants=SEVERAL)
        rig.start()
        assert rig.ready["variants"] == {"tiny": serves}
        assert (recorded(rig).chosen.variant, recorded(rig).was_measured) == (serves, timed)
        assert bool(choices(rig)) == timed


def test_a_changed_configuration_is_served_at_once_and_recorded_anew(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with device(tmp_path, broker.url) as rig:
        rig.bundle(variants=SEVERAL)
        rig.start()
        rig.stop()
        text = rig.config.read_text()
        rig.config.write_text(text.replace('name = "tiny"\n', 'name = "tiny"\nvariant = "slow"\n'))

        rig.start()
        assert rig.ready["variants"] == {"tiny": "slow"}
        wait_for(lambda: recorded(rig).chosen == SLOW, "the new record")
        assert recorded(rig).key.variant == "slow"
        assert rig.events("variant changed") == []


def test_a_bundle_of_one_variant_is_recorded_and_not_timed(tmp_path: Path, broker: Mosquitto) -> None:
    with agent(tmp_path, broker.url) as rig:
        found = recorded(rig)
        assert (found.chosen, found.was_measured) == (Candidate("fp32", "cpu"), False)
        assert choices(rig) == []
        assert rig.install(rig.bundle("1.1.0")).returncode == 0
        assert rig.ready["running"] == {"tiny": "1.1.0"}
        assert recorded(rig).digest == rig.model().active


def test_a_record_that_cannot_be_written_is_told_and_the_best_serves_all_the_same(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with device(tmp_path, broker.url) as rig:
        rig.bundle(variants=SEVERAL)
        (rig.data / "store").mkdir(parents=True)
        (rig.data / "store" / "choices").write_text("no folder")
        rig.start()
        assert rig.ready["variants"] == {"tiny": "fast"}
        (told,) = wait_for(lambda: rig.events("store trouble"), "the event")
        assert "choices" in told.detail


def measuring(rig: AgentRig, what: str = "slow on cpu takes") -> bool:
    return what in rig.said


HANGS: Mapping[str, Behaviour] = {"slow": "slow", "hangs": "hangs", "fast": "good"}


def test_a_stop_while_variants_are_measured_leaves_no_process_and_costs_no_attempt(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with agent(tmp_path, broker.url) as rig:
        rig.install(rig.bundle("1.1.0", variants=HANGS), "--wait", "0")
        wait_for(lambda: measuring(rig), "the first to be measured")
        left = wait_for(lambda: len(found := children(rig.pid)) > 1 and found, "the process")

        assert rig.stop() == 0
        now = rig.model()
        assert now.pending is not None
        slot = now.slots[now.pending]
        assert (slot.state, slot.attempts) == ("trial", slot.allowed)
        wait_for(lambda: not any(map(is_there, left)), "their ends")


def test_a_killed_agent_takes_the_process_that_is_measured_with_it(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with agent(tmp_path, broker.url) as rig:
        rig.install(rig.bundle("1.1.0", variants=HANGS), "--wait", "0")
        wait_for(lambda: measuring(rig), "the first to be measured")
        left = wait_for(lambda: len(found := children(rig.pid)) > 1 and found, "the process")
        rig.kill()
        wait_for(lambda: not any(map(is_there, left)), "their ends")
        rig.start()
        assert rig.ready["running"] == {"tiny": "1.0.0"}


def test_what_is_replaced_while_it_is_measured_makes_way_at_once(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with agent(tmp_path, broker.url) as rig:
        rig.install(rig.bundle("1.1.0", variants=HANGS), "--wait", "0")
        wait_for(lambda: measuring(rig), "the first to be measured")
        assert rig.install(rig.bundle("1.2.0")).returncode == 0
        assert rig.ready["running"] == {"tiny": "1.2.0"}
        kept = set(rig.model().slots)
        names = {found.stem for found in (rig.data / "store" / "choices" / "tiny").iterdir()}
        assert names <= kept


def test_a_rollback_while_a_version_is_measured_stays_with_the_active_one(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with agent(tmp_path, broker.url) as rig:
        rig.install(rig.bundle("1.1.0", variants=HANGS), "--wait", "0")
        wait_for(lambda: measuring(rig), "the first to be measured")
        done = rig.command("rollback", "--store", rig.data / "store")
        assert done.returncode == 0, done.stderr
        assert rig.model().pending is None
        wait_for(lambda: len(children(rig.pid)) == 1, "the other process's end")
        assert rig.ready["running"] == {"tiny": "1.0.0"}


def test_one_that_dies_while_it_serves_is_started_again_as_it_was_chosen(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with device(tmp_path, broker.url) as rig, SensorRig(broker.url) as sensor:
        rig.bundle(variants=SEVERAL)
        rig.start()
        worker = rig.ready["workers"]["tiny"]
        os.kill(worker, signal.SIGKILL)
        sensor.send(20)
        wait_for(lambda: rig.ready["workers"].get("tiny", worker) != worker, "the next worker")
        assert rig.ready["variants"] == {"tiny": "fast"}


def test_several_models_are_measured_one_after_another_while_they_serve(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with device(tmp_path, broker.url) as rig:
        rig.bundle(variants=SEVERAL)
        other = rig.config.read_text().split("[[models]]")[1].replace("tiny", "other")
        other = other.replace("sensors/watch", "sensors/other")
        rig.config.write_text(f"{rig.config.read_text()}[[models]]{other}")
        (rig.folder / "other-1.0.0.edge").write_bytes(tiny_bundle("other", variants=SEVERAL))
        rig.start()
        wait_for(lambda: len(choices(rig)) == 2, "the first choices")
        rig.stop()
        shutil.rmtree(rig.data / "store" / "choices")
        begun = len(rig.said)

        rig.start()
        assert rig.ready["variants"] == {"tiny": "slow", "other": "slow"}
        wait_for(lambda: rig.ready["variants"] == {"tiny": "fast", "other": "fast"}, "the best")

        took = re.findall(r"(\w+) 1\.0\.0: \w+ on cpu takes", rig.said[begun:])
        assert took in (["tiny"] * 2 + ["other"] * 2, ["other"] * 2 + ["tiny"] * 2)
        assert len(rig.events("variant changed")) == 2


def test_a_record_that_goes_while_a_version_is_on_trial_changes_nothing_and_is_made_again(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with (
        device(tmp_path, broker.url, trial={"predictions": 10}) as rig,
        SensorRig(broker.url) as sensor,
    ):
        rig.bundle(variants=SEVERAL)
        rig.start()
        sensor.send(30)
        wait_for(lambda: rig.model().active, "the first version to be confirmed")
        rig.install(rig.bundle("1.1.0", seed=1, variants=SEVERAL), "--wait", "0")
        wait_for(lambda: rig.ready["running"] == {"tiny": "1.1.0"}, "the version on trial to serve")
        worker = rig.ready["workers"]["tiny"]
        records = rig.data / "store" / "choices"

        shutil.rmtree(records)
        time.sleep(1)
        assert not records.exists()
        assert rig.model().pending

        sensor.send(30)
        wait_for(lambda: rig.model().pending is None, "the confirm")
        wait_for(lambda: record.read(path(rig)), "the record")
        assert recorded(rig).chosen == FAST
        assert rig.ready["workers"]["tiny"] == worker
        assert rig.events("variant changed") == []
        assert rig.starts() == list(range(0, sensor.sent - 3, 2))


def test_a_candidate_that_fails_when_it_is_to_take_over_leaves_what_serves_and_is_told(
    tmp_path: Path, broker: Mosquitto
) -> None:
    thermal = Thermal(tmp_path / "thermal")
    thermal.tell("cpu-thermal", 45_000)
    with device(tmp_path, broker.url, model={"prefer": "author"}) as rig:
        hot = f"[device]\ntemperature = {{ sensor = '{thermal.folder}', step_s = 0.2 }}\n"
        rig.config.write_text(rig.config.read_text().replace("[device]\n", hot))
        rig.bundle(variants={"slow": "slow", "wrong": "wrong"})
        rig.start()
        worker = rig.ready["workers"]["tiny"]
        wait_for(lambda: record.read(path(rig)), "the record")
        measured = recorded(rig)
        slow, wrong = measured.rows
        assert wrong.why_not
        promising = msgspec.structs.replace(slow, candidate=wrong.candidate, p50_us=1.0)
        record.write(path(rig), msgspec.structs.replace(measured, rows=(slow, promising)))

        thermal.tell("cpu-thermal", 85_000)
        told = wait_for(lambda: rig.events("variant not changed"), "the event")[0]
        assert "wrong on cpu does not run, slow does" in told.detail
        assert (rig.ready["workers"]["tiny"], rig.ready["variants"]["tiny"]) == (worker, "slow")
        assert rig.events("variant changed") == []


def test_where_what_serves_cannot_be_measured_that_is_told_and_it_serves_on(
    tmp_path: Path, broker: Mosquitto
) -> None:
    full = tmp_path / "no-room"
    prepare = f"""
        from edge_runtime.errors import EngineError
        if os.path.exists({str(full)!r}):
            raise EngineError("there is no room for a plan.")
    """
    with device(tmp_path, broker.url) as rig, SensorRig(broker.url) as sensor:
        rig.environment = own_engine(tmp_path, prepare=prepare)
        rig.bundle(engine="own")
        rig.start()
        rig.stop()
        shutil.rmtree(rig.data / "store" / "choices")
        full.touch()

        rig.start()
        (told,) = wait_for(lambda: rig.events("variants not measured"), "the event")
        assert (told.version, told.detail) == ("1.0.0", "there is no room for a plan.")
        sensor.send(20)
        wait_for(lambda: len(rig.starts()) == 9, "the predictions")
        assert rig.model().bad == {}
