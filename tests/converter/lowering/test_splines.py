"""Spline features agree with scikit-learn between the knots, on them and beyond them."""

from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import SplineTransformer

from converter.lowering import registry, splines
from edge_runtime.errors import UnsupportedModelError
from tests.converter.lowering.in_graph import answers, refusals
from tests.converter.lowering.lowered import check

assert splines  # registers


def rows(count: int = 50) -> Any:
    """Four features: two ordinary, one of whole numbers, one far from zero."""
    found = np.random.default_rng(2).normal(size=(count, 4)) * [1.0, 20.0, 3.0, 0.5] + [0, 0, 0, 1e3]
    found[:, 2] = found[:, 2].round()
    return found


def asked_of(step: Any) -> Any:
    """Rows of training, every base knot and its neighbours, and numbers beyond the ends."""
    knots = np.stack(
        [spline.t[spline.k : len(spline.t) - spline.k] for spline in step.bsplines_], axis=1
    )
    within = np.vstack(
        [rows()[:10], knots, np.nextafter(knots[1:], -1e9), np.nextafter(knots[:-1], 1e9)]
    )
    width = knots[-1] - knots[0]
    beyond = np.vstack([knots[0] - 0.3 * width, knots[-1] + 0.01 * width, knots[-1] + 2 * width])
    return within if step.extrapolation == "error" else np.vstack([within, beyond])


@pytest.mark.parametrize("degree", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("extrapolation", ["error", "constant", "linear", "continue", "periodic"])
@pytest.mark.parametrize("include_bias", [True, False])
def test_every_degree_and_extrapolation(degree: int, extrapolation: str, include_bias: bool) -> None:
    steps = degree == 0 and extrapolation == "constant"  # on which dense scikit-learn fails
    step = SplineTransformer(
        n_knots=7,
        degree=degree,
        extrapolation=extrapolation,
        include_bias=include_bias,
        sparse_output=steps,
    ).fit(rows())
    asked = asked_of(step)
    wanted = step.transform(asked)
    wanted = wanted.toarray() if steps else wanted
    for found in answers(step, asked):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-11 * max(1.0, np.abs(wanted).max()))


@pytest.mark.parametrize("extrapolation", ["constant", "linear", "continue", "periodic"])
def test_knots_by_quantile_and_by_hand(extrapolation: str) -> None:
    step = SplineTransformer(n_knots=4, knots="quantile", extrapolation=extrapolation)
    check(step.fit(rows()[:, :2]), 2 * rows()[:, :2], float32_tolerance=1e-4)
    by_hand = np.array([[-1.0, -9.0], [0.0, -8.0], [0.1, 2.0], [1.0, 40.0]])
    step = SplineTransformer(knots=by_hand, degree=2, extrapolation=extrapolation)
    check(step.fit(rows()[:, :2]), rows()[:, :2], float32_tolerance=1e-4)


@pytest.mark.parametrize("extrapolation", ["constant", "linear", "continue", "periodic", "error"])
def test_a_missing_value_is_zero_in_all_splines(extrapolation: str) -> None:
    step = SplineTransformer(extrapolation=extrapolation, handle_missing="zeros", degree=2).fit(rows())
    asked = rows()[:6]
    asked[0, 0], asked[1] = np.nan, np.nan
    for found in answers(step, asked):
        np.testing.assert_allclose(found, step.transform(asked), rtol=0, atol=1e-12)


def test_missing_values_of_sparse_splines_are_refused() -> None:
    step = SplineTransformer(handle_missing="zeros", sparse_output=True).fit(rows())
    with pytest.raises(UnsupportedModelError, match=r"^SplineTransformer .* sparse_output=False"):
        registry.transform(step, rows())


@pytest.mark.parametrize("extrapolation", ["constant", "linear", "continue", "periodic"])
@pytest.mark.parametrize("degree", [1, 3])
def test_a_constant_feature(extrapolation: str, degree: int) -> None:
    train = np.column_stack([np.full(20, 3.0), np.arange(20.0)])
    step = SplineTransformer(degree=degree, extrapolation=extrapolation).fit(train)
    for found in answers(step, train):
        np.testing.assert_allclose(found, step.transform(train), atol=1e-12)


def test_where_scikit_learn_raises_the_row_is_refused() -> None:
    step = SplineTransformer(extrapolation="error").fit([[0.0, 5.0], [1.0, 9.0]])
    asked = np.array([[2.0, 6.0], [-0.1, 6.0], [np.nan, 6.0], [0.5, 6.0], [0.0, 9.0], [1.0, 9.1]])
    assert [rows for rows, _ in refusals(step, asked)] == [[True, True, False, False, False, True]]
    for found in answers(step, asked):
        assert np.isnan(found[2, : found.shape[1] // 2]).all()
