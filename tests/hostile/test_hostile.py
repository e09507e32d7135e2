"""Hostile input is refused by the right error in one sentence, cheaply, and leaves nothing behind."""

from collections import Counter
from pathlib import Path

import pytest

from tests.hostile.attacks import CASES
from tests.hostile.attacks.graphs import working
from tests.hostile.building import GOOD, archive, loading, opening, opening_folder, signed
from tests.hostile.case import Case, attempted, faults
from tests.hostile.rules import exists, taken_out
from tests.hostile.without_rules import Ending, tried_without
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
