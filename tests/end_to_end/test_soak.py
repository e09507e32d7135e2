"""Half a minute in which everything fails once: the fleet has every window once, and nothing is left.

And an hour that is made up: what a leak does to the readings is told.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.footprint import Held, left_behind
from tests.support.in_use import InUse
from tests.support.soak_plan import KINDS, incidents
from tests.support.soak_site import Reading
from tests.support.soaking import Record, Soaked, soak


@pytest.mark.alone
@pytest.mark.end_to_end
def test_a_soak_loses_no_window_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The agent is weighed: with coverage it would also hold each line that it runs for the first time.
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    found = soak(
        tmp_path, seed=5, duration_s=15, every_s=1.5, windows_hz=100, tell=lambda at_s, what: None
    )
    assert {incident.kind for incident in found.befell} == set(KINDS)
    assert [first for _, first in found.record.predictions] == list(range(0, found.samples - 3, 2))
    assert found.faults() == []
    assert left_behind(tmp_path) == []


def test_what_befalls_a_device_is_the_seeds_to_decide() -> None:
    assert incidents(5, 600, 7) == incidents(5, 600, 7) != incidents(6, 600, 7)


def test_every_round_has_each_kind_but_agent_and_worker_live_long_at_the_end() -> None:
    found = incidents(1, 3600, 7)
    assert {each.kind for each in found[: len(KINDS)]} == set(KINDS)
    late = {each.kind for each in found if each.at_s > 1800}
    assert late == set(KINDS) - {"agent killed"}
    last = {each.kind for each in found if each.at_s > 2400}
    assert last == late - {"worker killed", "new version"}
    assert all(0 < each.away_s <= 7 / 2 for each in found)


def an_hour(leak: Callable[[int], dict[str, int]]) -> Soaked:
    """All is well but what `leak` adds to a reading, by its number; one each 7 s, each other a swap."""

    def reading(number: int) -> Reading:
        more = {**dict.fromkeys(("threads", "descriptors", "blocks", "worker_bytes"), 0), **leak(number)}
        noise = number * 37 % 500
        held = Held(2, 10 + more["threads"], 23 + more["descriptors"], 60 << 20, (62 << 20) + noise)
        held = replace(held, worker_bytes=held.worker_bytes + more["worker_bytes"])
        used = InUse(190_000 + noise + more["blocks"], 11 << 20)
        life, worker = number * 7 // 1800, number * 7 // 1200
        return Reading(number * 7.0, life, worker, held, used, 0, 5 << 20, 5000, 1_600_000)

    readings = tuple(map(reading, range(510)))
    record = Record(tuple(("1.0.0", first) for first in range(0, 97, 2)), Counter(), 0, 0)
    return Soaked(100, 3600, (), readings, record, ("1.0.0",), 0, 2, 0)


@pytest.mark.parametrize(
    ("leak", "told"),
    [
        (lambda number: {}, []),
        (lambda number: {"blocks": number * 7 * 10_000 // 3600}, ["what the agent has in use"]),
        (lambda number: {"descriptors": number // 2}, ["processes, threads and descriptors"]),
        (lambda number: {"threads": number // 509}, ["processes, threads and descriptors"]),
        (lambda number: {"worker_bytes": number * 7 * 200 * 24}, ["the worker's memory is flat"]),
    ],
    ids=["none", "a megabyte an hour", "a descriptor a swap", "one thread", "200 bytes a window"],
)
def test_an_hour_shows_a_small_leak(leak: Callable[[int], dict[str, int]], told: list[str]) -> None:
    faults = an_hour(leak).faults()
    assert [words for words in told if not any(fault.startswith(words) for fault in faults)] == []
    assert len(faults) == len(told)
