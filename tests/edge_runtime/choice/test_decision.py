"""Which candidate is taken of those that were measured, and which one is lighter."""

import pytest

from edge_runtime.choice.decision import (
    Measured,
    Prefer,
    chosen,
    contenders,
    faster,
    lighter,
)
from edge_runtime.engine.candidate import Candidate
from tests.edge_runtime.choice.rows import row


def name(candidate: Candidate | None) -> str:
    return candidate.variant if candidate else ""


@pytest.mark.parametrize(
    ("rows", "best"),
    [
        ([row("a", 10), row("b", 9)], "b"),
        ([row("a", 10), row("b", 9.8)], "a"),  # as fast, within noise: the author's order
        ([row("a", 10.2), row("b", 10.1), row("c", 10)], "a"),
        ([row("a", why_not="it is wrong"), row("b", 20)], "b"),
        ([row("a", why_not="it is wrong")], ""),
        ([row("a")], "a"),  # the only one: nothing was timed
        ([row("a", why_not="no GPU"), row("b")], "b"),
        ([], ""),
    ],
)
def test_the_lowest_median_is_taken_and_of_several_within_noise_the_authors_first(
    rows: list[Measured], best: str
) -> None:
    assert name(chosen(rows)) == best


@pytest.mark.parametrize(("prefer", "best"), [("speed", "b"), ("author", "a")])
def test_the_authors_first_is_taken_where_that_is_preferred(prefer: Prefer, best: str) -> None:
    assert name(chosen([row("x", why_not="no"), row("a", 10), row("b", 5)], prefer)) == best


def test_of_one_variant_the_provider_decides() -> None:
    rows = [row("a", 10), row("a", 4, provider="cuda")]
    assert chosen(rows) == Candidate("a", "cuda")


@pytest.mark.parametrize(
    ("running", "next_lighter"),
    [("a", "b"), ("b", "d"), ("d", ""), ("wrong", ""), ("unknown", "")],
)
def test_the_next_lighter_is_the_slowest_of_those_that_are_faster(
    running: str, next_lighter: str
) -> None:
    rows = [row("a", 100), row("wrong", why_not="no"), row("b", 50), row("c", 49.5), row("d", 10)]
    assert name(lighter(rows, Candidate(running, "cpu"))) == next_lighter


@pytest.mark.parametrize(
    ("times", "near"),
    [
        ({"a": 10, "b": 20, "c": 20.1}, ["a", "b"]),
        ({"a": 30, "b": 10}, []),
        ({"a": 10}, []),
        ({"a": None, "b": 10}, []),
        ({}, []),
    ],
)
def test_those_within_twice_the_fastest_time_contend(
    times: dict[str, float | None], near: list[str]
) -> None:
    rows = [row(name, time) for name, time in times.items()]
    assert [each.variant for each in contenders(rows)] == near


def test_of_two_measurements_the_faster_counts_and_a_failure_before_both() -> None:
    slow, fast, broken = row("a", 12), row("a", 10), row("a", why_not="It died.")
    assert faster(slow, fast) == faster(fast, slow) == fast
    assert faster(fast, broken) == faster(broken, fast) == broken
