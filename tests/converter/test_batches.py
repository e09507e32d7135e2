"""Large inputs are asked about few at a time, and the answers are those of all."""

import numpy as np
import pytest

from converter.batches import at_once


@pytest.mark.parametrize(
    ("shape", "dtype", "count"),
    [
        ((10,), np.float32, 256),
        ((224, 224, 3), np.float32, 6),
        ((224, 224, 3), np.uint8, 27),
        ((5000, 5000), np.float64, 1),
    ],
)
def test_as_many_rows_as_take_4_mb_and_at_least_one(
    shape: tuple[int, ...], dtype: type, count: int
) -> None:
    assert at_once([np.empty((3, *shape), dtype)], 256) == count


def test_of_several_inputs_a_row_of_each_counts() -> None:
    assert at_once([np.empty((2, 1 << 20), np.uint8), np.empty((2, 1 << 20), np.uint8)], 256) == 2
