"""Hostile input is refused by the right error in one sentence, cheaply, and leaves nothing behind."""

from collections import Counter
from pathlib import Path

import pytest

from edge_runtime.errors import EngineError, WorkerError
from edge_runtime.worker import Worker
from tests.hostile.attacks import CASES
from tests.hostile.attacks.graphs import MAX_BYTES, with_gibibyte, working
from tests.hostile.building import GOOD, archive, loading, opening, opening_folder, signed
from tests.hostile.case import Case, attempted, faults
from tests.hostile.rules import exists, taken_out
from tests.hostile.without_rules import Ending, tried_without
from tests.support.slots import slot
from tests.support.tiny_bundle import Behaviour, golden_windows, tiny_bundle
from tests.support.unpacked import unpack


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_hostile_case_is_refused(case: Case, tmp_path: Path) -> None:
    assert faults(case, attempted(case, tmp_path)) == []


def test_the_good_bundle_that_cases_are_made_from_is_taken(tmp_path: Path) -> None:
    raw = archive(signed(GOOD))
    for make in (opening, loading, working):
        (folder := tmp_path / make.__name__).mkdir()
        make(raw, folder)()
    opening_folder(unpack(signed(GOOD), tmp_path / "unpacked"))()


def test_every_case_has_its_own_name_and_names_a_rule_that_exists() -> None:
    assert [name for name, count in Counter(case.id for case in CASES).items() if count > 1] == []
    named = {rule for case in CASES for rule in case.refused_by}
    assert [case.id for case in CASES if not case.refused_by] == []
    assert [rule for rule in sorted(named) if not exists(rule)] == []


def test_a_rule_that_is_not_there_is_noticed() -> None:
    for wrong in (
        "bundle.archive.check_names: words nobody wrote",
        "bundle.archive.gone: x",
        "gone.gone: x",
        "bundle.archive.check_names",
    ):
        assert not exists(wrong)


def test_without_its_rules_a_case_gets_through_and_with_them_it_does_not(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "name: one folder up")

    assert tried_without(case).ending is Ending.TAKEN
    assert faults(case, attempted(case, tmp_path)) == []
    with taken_out(case.refused_by):
        (other := tmp_path / "other").mkdir()
        assert faults(case, attempted(case, other)) == ["it got through"]


def test_the_limit_of_memory_is_what_refuses_a_gibibyte(tmp_path: Path) -> None:
    folder = slot(tmp_path, with_gibibyte())

    with Worker.start(folder, timeout_s=60, max_bytes=4 << 30) as worker:
        assert worker.info.golden_label_disagreements == 0
    with pytest.raises(EngineError, match="cannot be run"):
        Worker.start(folder, timeout_s=60, max_bytes=MAX_BYTES)


def test_a_running_model_goes_on_while_a_hostile_one_is_tried(tmp_path: Path) -> None:
    good, hostile = tmp_path / "good", tmp_path / "hostile"
    good.mkdir()
    hostile.mkdir()
    with Worker.start(slot(good, tiny_bundle())) as worker:
        before = worker.infer(golden_windows()).labels
        behaviours: tuple[Behaviour, ...] = ("hangs", "starves")
        for behaviour in behaviours:
            with pytest.raises((EngineError, WorkerError)):
                working(tiny_bundle(behaviour=behaviour), hostile)()
            assert worker.infer(golden_windows()).labels == before
