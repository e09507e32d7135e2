"""Weights in fewer bytes: near what they were, where they should be, and gone once a graph is loaded."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.backends.tensorrt import try_builds
from converter.quantization.weights import stored
from edge_runtime.bundle.manifest import Profile
from edge_runtime.errors import ConversionError
from tests.converter.quantization import networks
from tests.converter.quantization.at_load import constants, digest, in_another_process, operators
from tests.support.graphs import graph

KINDS: list[Any] = ["fp16", "int8", "int16"]
LEVELS = {"int8": 127, "int16": 32767}
PROFILE = Profile(min_rows=1, opt_rows=1, max_rows=64)
FLOAT, INT64, DOUBLE = TensorProto.FLOAT, TensorProto.INT64, TensorProto.DOUBLE


def drawn(*shape: int, dtype: str = "float32") -> np.ndarray:
    """Weights of which the slices of every axis differ in size, by up to a thousand."""
    made = np.random.default_rng(0).normal(size=shape)
    for axis, size in enumerate(shape):
        made = made * np.expand_dims(
            np.geomspace(1, 10, size), [at for at in range(len(shape)) if at != axis]
        )
    return made.astype(dtype)


def layer(
    operator: str, weight: np.ndarray, *, kind: int = FLOAT, given: int = FLOAT, **options: Any
) -> bytes:
    """One node that reads x and a constant w."""
    node = helper.make_node(operator, ["x", "w"], ["y"], name="layer", **options)
    sizes: list[str | int | None] = [
        "n",
        *({"Conv": (16, 9, 9), "ConvTranspose": (12, 9, 9)}.get(operator, (24,))),
    ]
    shape = [None] * {"Conv": 4, "ConvTranspose": 4}.get(operator, 2)
    return graph(
        [node], [("x", given, sizes)], [("y", kind, shape)], [numpy_helper.from_array(weight, "w")]
    )


def recurrent(weight: np.ndarray, state: np.ndarray) -> bytes:
    node = helper.make_node("LSTM", ["x", "w", "r"], ["y"], name="layer", hidden_size=8)
    tensors = [numpy_helper.from_array(each, name) for each, name in ((weight, "w"), (state, "r"))]
    return graph([node], [("x", FLOAT, [5, "n", 24])], [("y", FLOAT, [5, 1, None, 8])], tensors)


def convolutions() -> bytes:
    """x (n, 3, 12, 12): two convolutions, dense and softmax, of weights enough for every kind."""
    net = networks.Network()
    net.node("Conv", "x", net.drawn("w1", 32, 3, 3, 3), net.drawn("b1", 32), to="conv1")
    net.node("Relu", "conv1", to="relu1")
    net.node("Conv", "relu1", net.drawn("w2", 32, 32, 3, 3), net.drawn("b2", 32), to="conv2")
    net.node("Relu", "conv2", to="relu2")
    net.node("Flatten", "relu2", to="flat")
    net.node("Gemm", "flat", net.drawn("w3", 2048, 6), net.drawn("b3", 6), to="logits")
    net.node("Softmax", "logits", to="probabilities", axis=1)
    return net.raw([3, 12, 12], {"probabilities": ["batch", 6]})


def within_a_step(found: np.ndarray, exact: np.ndarray, kind: str, shared: tuple[int, ...]) -> bool:
    """Whether numbers err by half a step at most, of their own slice; of float16 half of a last bit."""
    if kind == "fp16":
        return bool(np.all(np.abs(found - exact) <= np.maximum(np.abs(exact) * 2.0**-11, 2.0**-25)))
    step = np.abs(exact).max(axis=shared, keepdims=True) / LEVELS[kind]
    return bool(np.all(np.abs(found - exact) <= step * 0.5001))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("operator", "shape", "options", "shared"),
    [
        ("MatMul", (24, 30), {}, (0,)),
        ("Gemm", (24, 30), {}, (0,)),
        ("Gemm", (30, 24), {"transB": 1}, (1,)),
        ("Conv", (12, 16, 3, 3), {}, (1, 2, 3)),
        ("ConvTranspose", (12, 16, 3, 3), {}, (0, 2, 3)),
    ],
)
def test_each_output_of_a_layer_has_a_scale_of_its_own(
    kind: Any, operator: str, shape: tuple[int, ...], options: dict[str, int], shared: tuple[int, ...]
) -> None:
    weight = drawn(*shape)
    raw = layer(operator, weight, **options)
    made = stored(raw, kind)
    assert len(made) < len(raw) * (0.45 if kind == "int8" else 0.75)
    assert operators(made) == operators(raw)
    assert within_a_step(constants(made)["w"], weight, kind, shared)


@pytest.mark.parametrize("kind", KINDS)
def test_each_row_of_an_embedding_and_of_an_lstm_has_a_scale_of_its_own(kind: Any) -> None:
    table = drawn(50, 24)
    raw = graph(
        [helper.make_node("Gather", ["w", "x"], ["y"])],
        [("x", INT64, ["n", 3])],
        [("y", FLOAT, ["n", 3, 24])],
        [numpy_helper.from_array(table, "w")],
    )
    assert within_a_step(constants(stored(raw, kind))["w"], table, kind, (1,))
    weight, state = drawn(1, 32, 24), drawn(1, 32, 8)
    made = stored(recurrent(weight, state), kind)
    found = constants(made)
    assert within_a_step(found["w"], weight, kind, (2,))
    assert within_a_step(found["r"], state, kind, (2,))
    assert operators(made) == {"LSTM": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_zeros_stay_zeros_and_a_column_of_them_too(kind: Any) -> None:
    weight = drawn(24, 30)
    weight[:, 3] = 0
    weight[5] = 0
    found = constants(stored(layer("MatMul", weight), kind))["w"]
    assert np.all(found[weight == 0] == 0)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_float64_are_float64_again(kind: Any) -> None:
    weight = drawn(24, 30, dtype="float64")
    made = stored(layer("MatMul", weight, kind=DOUBLE, given=DOUBLE), kind)
    assert constants(made)["w"].dtype == np.float64
    assert within_a_step(constants(made)["w"], weight, kind, (0,))


def test_what_float16_does_not_hold_stays_in_float32() -> None:
    fits, large, tiny = drawn(24, 30), drawn(24, 30), drawn(24, 30)
    large[0, 0], tiny[:] = 70_000, tiny * 1e-9
    for weight in (large, tiny):
        with pytest.raises(ConversionError, match="found none outside of preprocessing"):
            stored(layer("MatMul", weight), "fp16")
        assert within_a_step(
            constants(stored(layer("MatMul", weight), "int8"))["w"], weight, "int8", (0,)
        )
    assert stored(layer("MatMul", fits), "fp16")


@pytest.mark.parametrize("kind", KINDS)
def test_preprocessing_and_what_is_compared_with_keep_their_numbers(kind: Any) -> None:
    edges, scale = drawn(24, 1).reshape(24) + drawn(24, 30).T, drawn(24, 24)
    nodes = [
        helper.make_node("MatMul", ["x", "scale"], ["scaled"], name="scaler"),
        helper.make_node("Unsqueeze", ["scaled", "axis"], ["wide"], name="wide"),
        helper.make_node("Less", ["wide", "edges"], ["below"], name="below"),
        helper.make_node("Cast", ["below"], ["counted"], name="counted", to=FLOAT),
        helper.make_node("MatMul", ["counted", "w"], ["y"], name="layer"),
    ]
    arrays = {"scale": scale, "edges": edges, "axis": np.array([1]), "w": drawn(24, 30)}
    raw = graph(
        nodes,
        [("x", FLOAT, ["n", 24])],
        [("y", FLOAT, ["n", 30, 30])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    found = constants(stored(raw, kind, frozenset({"scaler"})))
    assert np.array_equal(found["scale"], scale)
    assert np.array_equal(found["edges"], edges)
    assert not np.array_equal(found["w"], arrays["w"])


def test_biases_are_float16_beside_int8_and_stay_beside_int16() -> None:
    weight, bias = drawn(24, 300), drawn(300)
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], name="layer")
    tensors = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")]
    raw = graph([node], [("x", FLOAT, ["n", 24])], [("y", FLOAT, ["n", 300])], tensors)
    assert within_a_step(constants(stored(raw, "int8"))["b"], bias, "fp16", ())
    assert np.array_equal(constants(stored(raw, "int16"))["b"], bias)


def test_whole_numbers_are_written_in_as_many_bytes_as_they_take() -> None:
    places = np.random.default_rng(0).integers(0, 70_000, 2000)
    for high, width in ((256, 1), (65_536, 2), (70_000, 4)):
        index = numpy_helper.from_array(places % high, "index")
        raw = graph(
            [helper.make_node("Gather", ["x", "index"], ["y"], axis=0)],
            [("x", FLOAT, [70_000])],
            [("y", FLOAT, [2000])],
            [index],
        )
        made = stored(raw, "fp16")
        assert len(made) < 2000 * width + 800
        assert np.array_equal(constants(made)["index"], places % high)


def test_a_graph_without_weights_is_told_so_in_a_sentence() -> None:
    raw = layer("MatMul", drawn(24, 1))
    with pytest.raises(ConversionError) as told:
        stored(raw, "int8")
    assert str(told.value) == (
        "weights: expected a constant that takes fewer bytes as int8, found none outside of "
        "preprocessing. Ship the model as it is."
    )


@pytest.mark.parametrize("kind", KINDS)
def test_networks_run_the_same_operators_and_say_nearly_the_same(kind: Any) -> None:
    for raw in (convolutions(), networks.rows()):
        made, feed = stored(raw, kind), networks.data(raw)
        assert operators(made) == operators(raw)
        said, heard = networks.run(raw, feed), networks.run(made, feed)
        for name, array in said.items():
            if array.dtype == np.float32:
                spread = array.std()
                assert np.abs(heard[name] - array).max() < spread * (0.05 if kind == "int8" else 0.003)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_for_tensorrt_are_the_same_numbers_in_uint8(kind: Any) -> None:
    raw = convolutions()
    own, other = stored(raw, kind), stored(raw, kind, engine="tensorrt")
    assert operators(own) == operators(other)
    found, expected = constants(other), constants(own)
    for name in ("w1", "w2", "w3"):
        assert np.array_equal(found[name], expected[name])
    kinds = {each.data_type for each in onnx.load_from_string(other).graph.initializer}
    assert kinds == {FLOAT, TensorProto.FLOAT16 if kind == "fp16" else TensorProto.UINT8}


def test_the_bytes_are_the_same_in_every_process() -> None:
    raw = convolutions()
    call = f"converter.quantization.weights:b''.join(stored(raw, kind) for kind in {KINDS})"
    assert in_another_process(call, raw) == digest(b"".join(stored(raw, kind) for kind in KINDS))


@pytest.mark.parametrize("kind", KINDS)
def test_tensorrt_builds_the_same_plan_but_for_rounding(kind: Any) -> None:
    for raw in (networks.rows(), layer("ConvTranspose", drawn(12, 16, 3, 3))):
        (plain,) = try_builds(raw, PROFILE, ["8.6"])
        for trial in try_builds(stored(raw, kind, engine="tensorrt"), PROFILE, ["8.6", "12.0"]):
            assert trial.why == ""
            assert abs(trial.plan_bytes - plain.plan_bytes) < 0.05 * plain.plan_bytes
    assert onnx.load_from_string(stored(networks.rows(), kind)).opset_import[0].version == 17
