"""Large inputs are asked about few at a time, and the answers are those of all."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import converter
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


def test_a_variant_answers_large_rows_in_pieces_as_it_would_at_once() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 300_000)).astype(np.float32)
    model = LinearRegression().fit(rows[:, :5], rows[:, 0])
    weights = np.zeros(300_000)
    weights[:5] = model.coef_
    model.coef_, model.n_features_in_ = weights, 300_000

    bundle = converter.convert(model, rows, name="a", version="1.0.0")

    assert at_once([rows], 1024) < 40
    assert bundle.manifest.variants[0].parity.inputs == 40
