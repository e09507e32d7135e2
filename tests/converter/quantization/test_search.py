"""The ranges of least error, and as few layers in float32 as the budget asks for."""

from collections.abc import Callable

import numpy as np
import pytest

from converter.quantization.ranges import METHODS
from converter.quantization.search import best
from converter.quantization.static import quantized
from edge_runtime.errors import ConversionError
from tests.converter.quantization.networks import calibrated, data, rows, run


def error_of(raw: bytes) -> Callable[[bytes], float]:
    """The largest difference from the float graph, of its largest answer."""
    feed = data(raw)
    expected = run(raw, feed)["value"]

    def error(made: bytes) -> float:
        return float(np.abs(run(made, feed)["value"] - expected).max() / np.abs(expected).max())

    return error


def test_without_a_loud_layer_all_are_quantized_with_the_ranges_of_least_error() -> None:
    made, observed = calibrated(rows())
    error = error_of(made)
    found = best(made, observed, flavour="uint8", error=error, allowed=1.0)
    errors = {
        method: error(quantized(made, observed, method=method, flavour="uint8")) for method in METHODS
    }
    assert found.excluded == ()
    assert found.error == min(errors.values()) == errors[found.method] == error(found.raw)


def test_a_layer_that_spoils_the_answers_stays_in_float32() -> None:
    made, observed = calibrated(rows("w1"))
    error = error_of(made)
    spoiled = best(made, observed, flavour="int8", error=error, allowed=10.0)
    found = best(made, observed, flavour="int8", error=error, allowed=spoiled.error / 2)
    assert found.excluded == ("dense2",)
    assert found.error <= spoiled.error / 2


def test_layers_are_excluded_by_doubling_and_never_more_than_half() -> None:
    made, observed = calibrated(rows())
    tried: list[bytes] = []

    def error(raw: bytes) -> float:
        tried.append(raw)
        return 0.5

    with pytest.raises(ConversionError) as caught:
        best(made, observed, flavour="uint8", error=error, allowed=0.25)
    assert len(tried) == len(METHODS) + 2  # one layer, then two of four
    assert str(caught.value) == (
        "static quantization: expected an error of at most 0.25 on the calibration inputs, found 0.5 "
        "with 0 of 4 layers in float32. Allow more, or train with quantization in mind."
    )


def test_answers_that_are_no_numbers_are_no_answer() -> None:
    made, observed = calibrated(rows())
    with pytest.raises(ConversionError, match="found inf"):
        best(made, observed, flavour="uint8", error=lambda _: float("nan"), allowed=1.0)
