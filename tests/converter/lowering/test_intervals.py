"""One search in all columns finds what np.searchsorted finds in each."""

from typing import Literal

import numpy as np
import pytest

from converter.lowering.intervals import places, taken


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("sizes", [(1,), (3, 8, 7), (0, 2), (0,), (100, 1)], ids=str)
def test_places_of_every_column(side: Literal["left", "right"], sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    keys = [np.sort(rng.integers(0, 9, size).astype(float)) for size in sizes]  # with ties
    x = rng.integers(-1, 10, (50, len(sizes))).astype(np.float32)
    wanted = np.stack([np.searchsorted(key, x[:, i], side) for i, key in enumerate(keys)], axis=1)
    np.testing.assert_array_equal(places(x, keys, side), wanted, strict=True)


def test_a_missing_number_lies_before_all_keys() -> None:
    assert places(np.array([[np.nan]]), [np.array([-np.inf, 1.0])], "right").tolist() == [[0]]


def test_rows_and_numbers_of_tables() -> None:
    tables = np.arange(12.0).reshape(2, 3, 2)
    place = np.array([[0, 2], [1, 1]])
    np.testing.assert_array_equal(taken(tables, place), [[[0, 1], [10, 11]], [[2, 3], [8, 9]]])
    np.testing.assert_array_equal(taken(tables[:, :, 0], place), [[0, 10], [2, 8]])
