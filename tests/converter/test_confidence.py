"""Intervals of paired differences: they cover the truth, and have a width always."""

import numpy as np
import pytest

from converter.confidence import bootstrap_interval, paired_interval


def test_models_that_agree_on_every_input_still_have_a_width() -> None:
    low, high = paired_interval(np.zeros(100))

    assert low == -high
    # 1.96 * sqrt(1 / 102) / sqrt(102)
    assert high == pytest.approx(1.959964 / 102)


def test_the_interval_is_that_of_agresti_and_min() -> None:
    differences = np.zeros(100)
    differences[:12], differences[12:16] = 1, -1  # 12 discordant one way, 4 the other

    low, high = paired_interval(differences)

    middle = (12.5 - 4.5) / 102
    reach = 1.959964 * np.sqrt((12.5 + 4.5) - (12.5 - 4.5) ** 2 / 102) / 102
    assert (low, high) == pytest.approx((middle - reach, middle + reach))


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_nineteen_of_twenty_intervals_hold_the_truth(share: float) -> None:
    random = np.random.default_rng(1)
    kinds = np.array([1.0, -1.0, 0.0])
    held = 0
    for _ in range(400):
        low, high = paired_interval(random.choice(kinds, 200, p=[share, share / 2, 1 - 1.5 * share]))
        held += low <= share / 2 <= high

    assert 0.92 <= held / 400 <= 1.0


def test_the_bootstrap_of_a_mean_is_near_the_normal_one() -> None:
    values = np.random.default_rng(2).normal(3, 1, 400)

    low, high = bootstrap_interval(lambda drawn: drawn @ values / 400, 400)

    reach = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - reach, values.mean() + reach), abs=0.02)


def test_the_bootstrap_is_the_same_every_time_and_bounded_in_memory() -> None:
    count = 50_000
    values, seen = np.arange(count) % 7.0, []

    def mean(drawn: np.ndarray) -> np.ndarray:
        seen.append(drawn.nbytes)
        return drawn @ values / count

    assert bootstrap_interval(mean, count) == bootstrap_interval(mean, count)
    assert max(seen) <= 40e6


def test_a_statistic_that_no_resample_has_says_nothing() -> None:
    assert bootstrap_interval(lambda drawn: np.full(len(drawn), np.nan), 5) == (-np.inf, np.inf)
