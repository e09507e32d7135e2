"""Operators that tf2onnx lacks, against TensorFlow's own, where they are delicate."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from edge_runtime.errors import UnsupportedModelError
from tests.converter.frontends.tensorflow.judging import converted, predictions, run
from tests.converter.frontends.tensorflow.models import kit

Call = Callable[[Any, Any], Any]

NUMBERS = np.array(
    [[0, -0.0, 1e-30, -1e-30, 1e-7, -1e-7, 1e-3, -1e-3, 0.5, -0.5, 1, -0.999999, 3, -3, 9, 80, -80]],
    np.float32,
)


def both(call: Call, given: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], Any]:
    """What TensorFlow says, what the graph says, and the graph."""
    shape, dtype = given.shape[1:], "string" if given.dtype.kind == "O" else given.dtype.name
    layer = kit().layers.Lambda(lambda x: call(kit().tf, x))
    model = kit().model(shape, layer, dtype=dtype)
    said = predictions(model, given)
    raw = converted(model, given, said)
    return said, run(raw, given), onnx.load_from_string(raw)


FUNCTIONS: dict[str, tuple[Call, NDArray[Any]]] = {
    "log1p": (lambda tf, x: tf.math.log1p(x), NUMBERS[:, NUMBERS[0] > -1]),
    "log1p of the largest": (lambda tf, x: tf.math.log1p(x), np.array([[3e38, 1e20]], np.float32)),
    "expm1": (lambda tf, x: tf.math.expm1(x), NUMBERS),
    "erfc": (lambda tf, x: tf.math.erfc(x), NUMBERS),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_keep_the_digits_of_small_and_large_numbers(name: str) -> None:
    call, given = FUNCTIONS[name]
    said, heard, _ = both(call, given)
    np.testing.assert_allclose(heard, said, rtol=2e-6, atol=0 if name != "erfc" else 2e-7)


@pytest.mark.parametrize("dtype", ["float32", "int32", "int64"])
def test_numbers_on_a_boundary_belong_above_it(dtype: str) -> None:
    given = np.array([[-2, -1, 0, 1, 2, 3, 100]], dtype)
    layer = kit().layers.Discretization([-1.0, 0.0, 2.0])
    model = kit().model((7,), layer, dtype=dtype)
    said = predictions(model, given)
    assert said.tolist() == [[0, 1, 2, 2, 3, 3, 3]]
    np.testing.assert_array_equal(run(converted(model, given, said), given), said)


@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_an_index_that_is_no_place_is_hot_nowhere(dtype: str, axis: int) -> None:
    given = np.array([[-5, -1, 0, 3, 4, 100]], dtype)
    said, heard, _ = both(lambda tf, x: tf.one_hot(x, 4, 2.0, -1.0, axis), given)
    assert (said == 2).sum() == 2
    np.testing.assert_array_equal(heard, said)


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
@pytest.mark.parametrize("by", [3, -3])
def test_quotients_are_rounded_down_and_rests_have_the_sign_of_what_divides(dtype: str, by: int) -> None:
    given = np.array([[-7, -6, -4, -3, -1, 0, 1, 2, 3, 5, 6, 7]], dtype)
    said, heard, _ = both(lambda tf, x: tf.stack([x % by, x // by], axis=1), given)
    assert said.tolist() == [[(given[0] % by).tolist(), (given[0] // by).tolist()]]
    np.testing.assert_array_equal(heard, said)


@pytest.mark.parametrize("size", [3, 1])
def test_a_scalar_behind_a_convolution_without_a_bias_is_no_bias(size: int) -> None:
    given = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype(np.float32)
    kernel = np.random.default_rng(1).normal(size=(3, 3, 1, size)).astype(np.float32)
    said, heard, _ = both(lambda tf, x: tf.nn.conv2d(x, kernel, 1, "SAME") + 3.0, given)
    np.testing.assert_allclose(heard, said, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("length", [20, 33, 64])
def test_a_transform_of_frames_that_are_cut_or_filled_up(length: int) -> None:
    given = np.random.default_rng(0).normal(size=(3, 33)).astype(np.float32)
    said, heard, _ = both(lambda tf, x: tf.abs(tf.signal.rfft(x, [length])), given)
    np.testing.assert_allclose(heard, said, atol=1e-5)


def test_a_window_is_folded_into_the_transform() -> None:
    given = np.random.default_rng(0).normal(size=(3, 64)).astype(np.float32)
    window = np.hanning(64).astype(np.float32)
    said, heard, graph = both(lambda tf, x: tf.math.real(tf.signal.rfft(x * window)), given)
    np.testing.assert_allclose(heard, said, atol=1e-5)
    assert "Mul" not in {node.op_type for node in graph.graph.node}


def test_complex_numbers_that_are_multiplied_are_refused() -> None:
    given = np.zeros((1, 16), np.float32)
    with pytest.raises(
        UnsupportedModelError, match=r"operator RFFT in .*lambda.*: expected its complex"
    ):
        both(lambda tf, x: tf.abs(tf.signal.rfft(x) * 2j), given)


@pytest.mark.parametrize("method", ["bilinear", "bicubic", "lanczos3", "gaussian", "mitchellcubic"])
@pytest.mark.parametrize("size", [(5, 7), (30, 21)])
def test_images_are_resized_as_by_tensorflow(method: str, size: tuple[int, int]) -> None:
    given = np.random.default_rng(0).uniform(0, 255, (2, 16, 12, 3)).astype(np.float32)
    said, heard, _ = both(lambda tf, x: tf.image.resize(x, size, method, antialias=True), given)
    np.testing.assert_allclose(heard, said, atol=5e-4)


def test_a_model_of_images_of_any_size_is_made_for_the_size_of_its_inputs() -> None:
    model = kit().model((None, None, 3), kit().layers.Resizing(4, 4, antialias=True))
    given = np.zeros((1, 8, 9, 3), np.float32)
    np.testing.assert_array_equal(run(converted(model, given, predictions(model, given)), given), 0)


@pytest.mark.parametrize("mask", [None, "", "none"])
def test_texts_that_a_vocabulary_has_not(mask: str | None) -> None:
    layer = kit().layers.StringLookup(vocabulary=["red", "green"], mask_token=mask)
    model = kit().model((4,), layer, dtype="string")
    given = np.array([["red", "", "none", "green"], ["Red", "gr\u00fcn", "red ", "red"]], dtype=object)
    said = predictions(model, given)
    np.testing.assert_array_equal(run(converted(model, given, said), given), said)


def test_numbers_that_a_vocabulary_has_not() -> None:
    layer = kit().layers.IntegerLookup(vocabulary=[7, -1, 2**40], mask_token=0)
    model = kit().model((4,), layer, dtype="int64")
    given = np.array([[7, -1, 0, 5], [2**40, 2**40 + 1, 8, 7]])
    said = predictions(model, given)
    np.testing.assert_array_equal(run(converted(model, given, said), given), said)
