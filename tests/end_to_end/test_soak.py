"""Half a minute in which everything fails once: the fleet has every window once, and nothing is left."""

from pathlib import Path

import pytest

from tests.support.soak_plan import KINDS, incidents
from tests.support.soaking import left_behind, soak


@pytest.mark.end_to_end
def test_a_soak_loses_no_window_and_leaves_nothing_behind(tmp_path: Path) -> None:
    found = soak(
        tmp_path, seed=5, duration_s=15, every_s=1.5, windows_hz=100, tell=lambda at_s, what: None
    )
    assert {incident.kind for incident in found.befell} == set(KINDS)
    assert [first for _, first in found.record.predictions] == list(range(0, found.samples - 3, 2))
    assert found.faults() == []
    assert left_behind(tmp_path) == []


def test_what_befalls_a_device_is_the_seeds_to_decide() -> None:
    assert incidents(5, 600, 7) == incidents(5, 600, 7) != incidents(6, 600, 7)


def test_every_round_has_each_kind_but_the_agent_lives_through_the_second_half() -> None:
    found = incidents(1, 3600, 7)
    assert {each.kind for each in found[: len(KINDS)]} == set(KINDS)
    late = {each.kind for each in found if each.at_s > 1800}
    assert late == set(KINDS) - {"agent killed"}
    assert all(0 < each.away_s <= 7 / 2 for each in found)
