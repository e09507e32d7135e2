"""Ranges of activations, from one bounded histogram."""

import numpy as np
import pytest

from converter.quantization.ranges import METHODS, Histogram, Range


def seen(*batches: np.ndarray) -> Histogram:
    histogram = Histogram()
    for batch in batches:
        histogram.add(batch.astype(np.float32))
    return histogram


def test_minmax_is_the_lowest_and_the_highest_of_all_batches_around_0() -> None:
    assert seen(np.array([1, 2]), np.array([3.5])).range("minmax") == Range(0.0, 3.5)
    assert seen(np.array([-4, -2])).range("minmax") == Range(-4.0, 0.0)


def test_what_was_never_seen_or_was_always_0_has_no_width() -> None:
    for method in METHODS:
        assert Histogram().range(method) == Range(0.0, 0.0)
        assert seen(np.zeros(9)).range(method) == Range(0.0, 0.0)


def test_what_is_not_finite_is_passed_over() -> None:
    histogram = seen(np.array([np.nan, np.inf, -np.inf, 1.0]), np.array([np.nan]))
    assert histogram.range("minmax") == Range(0.0, 1.0)


def test_a_percentile_leaves_out_the_few_that_are_far_away() -> None:
    values = np.random.default_rng(0).normal(size=100_000)
    far = np.append(values, [1000.0, -900.0])
    found = seen(far).range("percentile")
    assert found.low == pytest.approx(np.quantile(far, 0.00005), abs=0.5)  # a bin of 1024 / 2048
    assert found.high == pytest.approx(np.quantile(far, 0.99995), abs=0.5)
    assert seen(far).range("minmax") == Range(-900.0, 1000.0)


def test_entropy_clips_long_tails_and_keeps_short_ones() -> None:
    random = np.random.default_rng(0)
    long, short = random.laplace(size=200_000), random.uniform(-1, 1, 200_000)
    assert seen(long).range("entropy").high < 0.9 * long.max()
    assert seen(short).range("entropy").high > 0.95


def test_entropy_does_not_clip_what_most_numbers_are() -> None:
    """Far from 0: a distribution that is narrow there lies beyond every small threshold."""
    values = np.random.default_rng(0).normal(10, 0.5, 100_000)
    assert seen(values).range("entropy").high > 11


def test_a_rectifiers_zeros_do_not_decide() -> None:
    numbers = np.abs(np.random.default_rng(0).normal(size=20_000))
    rectified = np.append(numbers, np.zeros(500_000))
    assert seen(rectified).range("entropy") == seen(numbers).range("entropy")


@pytest.mark.parametrize("method", METHODS)
def test_batches_give_what_all_at_once_gives(method: str) -> None:
    """Small numbers first: the histogram grows by doubling, and bins that merge stay bins."""
    values = np.sort(np.abs(np.random.default_rng(0).normal(size=30_000)))
    parts = np.array_split(values, 40)
    assert seen(*parts).range(method) == seen(values).range(method)  # type: ignore[arg-type]


def test_the_histogram_stays_as_large_as_it_was() -> None:
    """From the smallest normal number of float32 to the largest."""
    histogram = seen(np.array([1e-38]), np.array([3e38]), np.array([-1e-30]))
    assert sum(array.size for array in vars(histogram).values() if isinstance(array, np.ndarray)) == 4096
    assert histogram.range("minmax").high == pytest.approx(3e38)
