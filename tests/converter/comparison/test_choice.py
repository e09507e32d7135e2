"""Which candidate is taken, decided from numbers alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converter.comparison.choice import Difference, Limits, Measures, Verdict, checked_limits, decide
from edge_runtime.errors import ConfigError

NOISE = 0.02


def ahead_by(worths: list[float]) -> "object":
    """Differences whose interval reaches 0.02 to either side."""

    def ahead(i: int, j: int) -> Difference:
        by = worths[i] - worths[j]
        return Difference(by, by - NOISE, by + NOISE)

    return ahead


def decided(*of: tuple[float, int, float], limits: Limits = Limits()) -> list[str]:  # noqa: B008
    """Reasons for candidates of (worth, size, latency)."""
    measures = [Measures(*each) for each in of]
    verdicts = decide(measures, limits, ahead_by([each.worth for each in measures]))
    assert sum(verdict.is_chosen for verdict in verdicts) <= 1
    return [verdict.reason for verdict in verdicts]


def test_a_score_that_is_ahead_by_more_than_noise_wins_however_slow_and_large() -> None:
    assert decided((0.90, 10, 1.0), (0.95, 10_000, 900.0)) == ["worse", "best"]


def test_within_noise_of_the_best_the_fastest_wins() -> None:
    assert decided((0.95, 10, 40.0), (0.94, 900, 10.0), (0.90, 10, 1.0)) == [
        "slower",
        "fastest",
        "worse",
    ]


def test_noise_is_measured_from_the_best_and_does_not_chain() -> None:
    assert decided((0.95, 1, 30.0), (0.935, 1, 20.0), (0.92, 1, 10.0)) == ["slower", "fastest", "worse"]


def test_times_within_a_tenth_are_the_same_and_the_smallest_wins() -> None:
    assert decided((0.95, 900, 10.0), (0.95, 800, 10.9), (0.95, 100, 11.1)) == [
        "larger",
        "smallest",
        "slower",
    ]


def test_of_candidates_alike_in_everything_the_first_wins() -> None:
    assert decided((0.94, 9, 5.0), (0.95, 9, 5.0), (0.95, 9, 5.0)) == ["first", "later", "later"]


@pytest.mark.parametrize("limits", [Limits(size_bytes=500), Limits(latency_us=50.0)])
def test_what_is_over_a_limit_is_out_and_is_no_measure_for_the_others(limits: Limits) -> None:
    assert decided((0.99, 501, 50.1), (0.90, 500, 50.0), (0.80, 1, 1.0), limits=limits) == [
        "over",
        "best",
        "worse",
    ]


def test_the_only_one_within_the_limits_is_taken_whatever_it_scores() -> None:
    assert decided((0.99, 501, 1.0), (0.1, 500, 1.0), limits=Limits(size_bytes=500)) == ["over", "only"]


def test_where_all_are_over_a_limit_none_is_taken() -> None:
    assert decided((0.9, 9, 1.0), (0.8, 9, 1.0), limits=Limits(size_bytes=1)) == ["over", "over"]


def test_both_limits_are_told_where_both_are_exceeded() -> None:
    assert Limits(10, 10.0).exceeded(11, 11.0) == ("size", "latency")
    assert Limits(10, 10.0).exceeded(10, 10.0) == ()
    assert Limits().exceeded(10**12, 1e12) == ()


def test_every_verdict_but_the_bests_says_how_far_it_is_behind() -> None:
    worths = [0.95, 0.94, 0.5]
    best, equal, worse = decide(
        [Measures(worth, 1, 10.0 * i) for i, worth in enumerate(worths, 1)], Limits(), ahead_by(worths)
    )
    assert best == Verdict("fastest")
    assert equal.behind is not None
    assert (equal.behind.by, equal.behind.low) == pytest.approx((0.01, -0.01))
    assert worse.behind is not None
    assert not worse.behind.is_noise


@pytest.mark.parametrize(
    ("low", "high", "is_noise"),
    [(-0.1, 0.1, True), (0.0, 0.1, True), (0.001, 0.1, False), (0.0, 0.0, True), (-0.2, -0.1, False)],
)
def test_a_difference_is_noise_where_its_interval_holds_0(
    low: float, high: float, is_noise: bool
) -> None:
    assert Difference((low + high) / 2, low, high).is_noise == is_noise


_ANY = st.tuples(st.integers(0, 50), st.integers(1, 5), st.integers(1, 30))


@given(st.lists(_ANY, min_size=1, max_size=6), st.integers(1, 5), st.integers(1, 30))
def test_nothing_that_is_taken_is_over_a_limit_worse_than_noise_or_slower_than_an_equal(
    given_: list[tuple[int, int, int]], size: int, latency: int
) -> None:
    measures = [Measures(worth / 100, size_bytes, float(time)) for worth, size_bytes, time in given_]
    limits = Limits(size, float(latency))
    worths = [each.worth for each in measures]
    verdicts = decide(measures, limits, ahead_by(worths))
    inside = [m for m in measures if m.size_bytes <= size and m.latency_us <= latency]
    taken = [m for m, verdict in zip(measures, verdicts, strict=True) if verdict.is_chosen]
    assert len(taken) == bool(inside)
    for one in taken:
        best = max(each.worth for each in inside)
        equals = [m for m in inside if best - m.worth - NOISE <= 0]
        assert one in equals
        assert one.latency_us <= 1.1 * min(each.latency_us for each in equals)


@pytest.mark.parametrize(
    ("size", "latency", "what"),
    [
        (0, None, "max_size_bytes: expected a number above 0, such as 500_000; found 0"),
        ("500 apples", None, "max_size_bytes: expected .* found '500 apples'"),
        (True, None, "found True"),
        (None, -3, "max_latency_us: expected a number above 0, such as 300; found -3"),
        (None, np.nan, "found nan"),
        (None, np.inf, "found inf"),
    ],
)
def test_a_limit_that_is_none_is_told(size: object, latency: object, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        checked_limits(size, latency)


def test_limits_may_be_left_out() -> None:
    assert checked_limits(None, None) == Limits()
    assert checked_limits(500_000, 300) == Limits(500_000, 300)
