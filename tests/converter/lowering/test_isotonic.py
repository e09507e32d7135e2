"""Isotonic regression: between, at and outside its thresholds."""

from typing import Any

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

import converter.lowering.isotonic  # noqa: F401 -- registers what is tested
from converter.lowering import registry
from tests.converter.lowering.lowered import agree, check, computed, expected, in_onnx

_RNG = np.random.default_rng(0)
ROWS = np.sort(_RNG.normal(size=60)) * 10.0
VALUES = ROWS + _RNG.normal(size=60) * 4.0
BETWEEN = np.linspace(ROWS[0], ROWS[-1], 301)[:, None]
AROUND = np.linspace(-60, 60, 301)[:, None]


@pytest.mark.parametrize("increasing", [True, False, "auto"])
@pytest.mark.parametrize("out_of_bounds", ["nan", "clip"])
def test_lines_between_thresholds_and_the_rule_outside(increasing: Any, out_of_bounds: str) -> None:
    values = -VALUES if increasing is False else VALUES
    model = IsotonicRegression(increasing=increasing, out_of_bounds=out_of_bounds).fit(ROWS, values)
    check(model, AROUND)
    check(model, ROWS[:, None])
    for answer in (computed, in_onnx):
        agree(answer(model, AROUND, "transform"), expected(model, AROUND, "transform"), 1e-12)


def test_what_the_source_refuses_is_refused() -> None:
    model = IsotonicRegression(out_of_bounds="raise").fit(ROWS, VALUES)
    check(model, BETWEEN[1:-1])
    edges = np.array([ROWS[0] - 1e-9, ROWS[0], ROWS[-1], ROWS[-1] + 1e-9])[:, None]
    with registry.recording() as made:
        registry.value(model, edges)
    ((outside, why),) = made.refusals
    assert outside.tolist() == [True, False, False, True]
    assert why == "IsotonicRegression: a number beyond those of training"


def test_bounds_weights_and_equal_inputs() -> None:
    rows = np.repeat(ROWS[::4], 4)
    model = IsotonicRegression(y_min=-3.0, y_max=9.0, out_of_bounds="clip")
    check(model.fit(rows, VALUES, sample_weight=_RNG.integers(0, 3, 60)), AROUND)


def test_a_single_threshold_is_a_constant_even_outside() -> None:
    model = IsotonicRegression().fit([2.0, 2.0], [1.0, 4.0])
    assert len(model.y_thresholds_) == 1
    check(model, AROUND)


def test_a_row_of_one_number() -> None:
    model = IsotonicRegression(out_of_bounds="clip").fit(ROWS, VALUES)
    check(model, BETWEEN.ravel())
    check(model, BETWEEN[7:8])


def test_a_model_fitted_on_float32_rounds_its_input_to_it() -> None:
    """On a line this steep the rounding of the input is seen in the answer."""
    rows = np.array([0.0, 1.0, 1.00001, 3.0], np.float32)
    model = IsotonicRegression().fit(rows, np.array([0.0, 1.0, 5.0, 6.0], np.float32))
    beside = np.linspace(1.0, float(rows[2]), 500)[:, None]
    unrounded = np.interp(beside.ravel(), model.X_thresholds_, model.y_thresholds_)
    wanted = expected(model, beside)
    assert np.abs(unrounded - wanted["value"]).max() > 1e-2
    for answer in (computed, in_onnx):
        agree(answer(model, beside), wanted, 1e-6)
