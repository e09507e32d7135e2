"""Which variants pay, and that the measurement tells a slower one from a faster one."""

import numpy as np
import pytest

from converter.quantization.paying import pays, supersedes, time_ratios


@pytest.mark.parametrize(
    ("time_ratio", "size_ratio", "worth_it"),
    [
        (0.9, 1.0, True),
        (0.91, 1.0, False),
        (0.5, 1.2, True),
        (1.0, 0.7, True),
        (1.1, 0.3, True),
        (1.11, 0.3, False),
        (1.0, 0.71, False),
    ],
)
def test_it_is_a_tenth_faster_or_a_third_smaller(
    time_ratio: float, size_ratio: float, worth_it: bool
) -> None:
    assert pays(time_ratio, size_ratio) is worth_it


@pytest.mark.parametrize(
    ("other", "own", "needless"),
    [
        ((1.03, 0.26), (1.0, 0.5), True),  # much smaller, hardly slower
        ((0.6, 0.5), (1.0, 0.5), True),  # faster and as large
        ((0.6, 1.0), (1.0, 0.5), False),  # faster, but larger: there is a use for both
        ((1.3, 0.26), (1.0, 0.5), False),  # smaller, but slower
        ((0.99, 0.49), (1.0, 0.5), False),  # hardly better
    ],
)
def test_a_variant_is_needless_beside_one_that_is_no_larger_and_pays(
    other: tuple[float, float], own: tuple[float, float], needless: bool
) -> None:
    assert supersedes(other, own) is needless


def test_ten_times_the_work_takes_about_ten_times_as_long() -> None:
    rows = [np.full(200_000, float(at)) for at in range(3)]
    seen = set()

    def once(row: np.ndarray) -> None:
        seen.add(float(row[0]))
        row.sum()

    def often(row: np.ndarray) -> None:
        for _ in range(10):
            row.sum()

    found = time_ratios({"fp32": once, "int8": often}, rows, over="fp32")

    assert found["fp32"] == 1.0
    assert found["int8"] > 3  # ten, on a quiet machine
    assert seen == {0.0, 1.0, 2.0}
