"""Dynamic quantization: which layers, how near, and the same sums on every CPU."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.quantization.dynamic import dynamic
from edge_runtime.errors import ConversionError
from tests.converter.quantization import networks
from tests.converter.quantization.at_load import digest, in_another_process, operators
from tests.support.graphs import graph

FLOAT = TensorProto.FLOAT
RANDOM = np.random.default_rng(0)
WEIGHT = RANDOM.normal(size=(24, 12)).astype(np.float32) * np.geomspace(1, 1000, 12, dtype=np.float32)
BIAS = RANDOM.normal(size=12).astype(np.float32)
ROWS = RANDOM.normal(size=(20, 24)).astype(np.float32)


def layer(operator: str, weight: np.ndarray, *, bias: bool = False, **options: Any) -> bytes:
    """One layer of 24 inputs and 12 outputs."""
    names = ["x", "w", "b"] if bias else ["x", "w"]
    tensors = [numpy_helper.from_array(array, name) for name, array in (("w", weight), ("b", BIAS))]
    node = helper.make_node(operator, names, ["y"], name="layer", **options)
    return graph([node], [("x", FLOAT, ["n", 24])], [("y", FLOAT, ["n", 12])], tensors[: len(names) - 1])


def lstm(directions: int = 1, **options: Any) -> bytes:
    """x (5, n, 24) through an LSTM of 8 units each way."""
    shapes = {"w": (directions, 32, 24), "r": (directions, 32, 8), "b": (directions, 64)}
    random = np.random.default_rng(1)
    tensors = [
        numpy_helper.from_array(random.normal(0, 0.3, shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    node = helper.make_node("LSTM", ["x", *shapes], ["y"], name="layer", hidden_size=8, **options)
    return graph([node], [("x", FLOAT, [5, "n", 24])], [("y", FLOAT, [5, directions, "n", 8])], tensors)


def stored(raw: bytes) -> dict[str, np.ndarray]:
    return {
        each.name: numpy_helper.to_array(each) for each in onnx.load_from_string(raw).graph.initializer
    }


def kinds(raw: bytes) -> set[str]:
    return {node.op_type for node in onnx.load_from_string(raw).graph.node}


@pytest.mark.parametrize(
    ("operator", "weight", "options"),
    [
        ("MatMul", WEIGHT, {}),
        ("Gemm", WEIGHT, {"bias": True}),
        ("Gemm", np.ascontiguousarray(WEIGHT.T), {"bias": True, "transB": 1}),
    ],
)
def test_a_product_errs_by_the_steps_of_its_rows_and_columns(
    operator: str, weight: np.ndarray, options: dict[str, Any]
) -> None:
    raw = layer(operator, weight, **options)
    made = dynamic(raw)
    said, heard = (networks.run(each, {"x": ROWS})["y"] for each in (raw, made))
    given_step, steps = np.ptp(ROWS) / 255, np.abs(WEIGHT).max(axis=0) / 64
    # Every factor errs by half a step at most, so a product of both by this:
    bound = np.abs(ROWS).sum(axis=1)[:, None] * steps / 2 + np.abs(WEIGHT).sum(axis=0) * given_step
    assert np.all(np.abs(said - heard) <= bound)
    assert np.all(np.abs(said - heard).max(axis=0) > 0)
    assert len(made) < len(raw)


def test_onnx_runtime_makes_one_node_of_a_product() -> None:
    assert operators(dynamic(layer("Gemm", WEIGHT, bias=True))) == {"DynamicQuantizeMatMul": 1}


def test_what_several_products_read_is_quantized_once() -> None:
    net = networks.Network()
    weight = net.drawn("w", 16, 16)
    for name in ("left", "right"):
        net.node("MatMul", "x", weight, to=name)
    net.node("MatMul", "x", net.drawn("v", 16, 16), to="other")
    net.node("Sum", "left", "right", "other", to="value")
    made = dynamic(net.raw([16], {"value": ["batch", 16]}))
    assert [node.op_type for node in networks.nodes(made).values()].count("DynamicQuantizeLinear") == 1
    assert [array.shape for array in stored(made).values() if array.dtype == np.int8] == [(16, 16)] * 2


@pytest.mark.parametrize(("directions", "way"), [(1, "forward"), (1, "reverse"), (2, "bidirectional")])
def test_an_lstm_is_onnx_runtimes_own(directions: int, way: str) -> None:
    raw = lstm(directions, direction=way)
    made = dynamic(raw)
    assert kinds(made) == {"DynamicQuantizeLSTM"}
    rows = np.random.default_rng(2).normal(size=(5, 7, 24)).astype(np.float32)
    said, heard = (networks.run(each, {"x": rows})["y"] for each in (raw, made))
    assert 0 < np.abs(said - heard).max() < 0.03
    assert len(made) < 0.5 * len(raw)
    assert [each.domain for each in onnx.load_from_string(made).opset_import] == ["", "com.microsoft"]


def test_codes_have_seven_bits_so_that_two_products_fit_16_bits() -> None:
    """What AVX2 adds pairs of products of uint8 and int8 in; beyond it, it saturates."""
    arrays = [*stored(dynamic(layer("MatMul", WEIGHT))).values(), *stored(dynamic(lstm())).values()]
    codes = [array for array in arrays if array.dtype == np.int8 and array.any()]
    assert len(codes) == 3
    assert all(np.abs(array.astype(int)).max() == 64 for array in codes)
    assert 255 * 64 * 2 < 2**15


def test_convolutions_preprocessing_and_small_layers_stay_as_they_are() -> None:
    net = networks.Network()
    net.node("MatMul", "x", net.drawn("w0", 16, 16), to="scaler")
    net.node("MatMul", "scaler", net.drawn("w1", 16, 24), to="large")
    net.node("MatMul", "large", net.drawn("w2", 24, 2), to="small")
    net.node("Unsqueeze", "small", net.constant("axis", np.array([1])), to="wide")
    net.node("Conv", "wide", net.drawn("w3", 64, 1, 1), to="conv")
    net.node("Flatten", "conv", to="value")
    made = dynamic(net.raw([16], {"value": ["batch", 128]}), {"scaler"})
    kept = stored(made)
    assert {"w0", "w2", "w3"} <= kept.keys()
    assert "w1" not in kept
    assert {"scaler", "small", "conv"} <= networks.nodes(made).keys()


@pytest.mark.parametrize(
    "raw",
    [
        layer("MatMul", WEIGHT.astype(np.float32) * np.inf),
        layer("Gemm", WEIGHT, alpha=0.5),
        graph(
            [helper.make_node("MatMul", ["x", "x2"], ["y"], name="layer")],
            [("x", FLOAT, ["n", 24]), ("x2", FLOAT, [24, 12])],
            [("y", FLOAT, ["n", 12])],
        ),
    ],
)
def test_where_there_is_nothing_to_do_that_is_said(raw: bytes) -> None:
    with pytest.raises(ConversionError) as told:
        dynamic(raw)
    assert str(told.value) == (
        "dynamic: expected a MatMul, Gemm or LSTM of 64 constant weights or more outside of "
        "preprocessing, found none. Ship the model as it is."
    )


def test_preprocessing_alone_is_nothing_to_do() -> None:
    with pytest.raises(ConversionError, match="found none"):
        dynamic(layer("MatMul", WEIGHT), {"layer"})
    with pytest.raises(ConversionError, match="found none"):
        dynamic(lstm(), {"layer"})


def test_a_column_of_zeros_gives_zeros() -> None:
    weight = WEIGHT.copy()
    weight[:, 4] = 0
    assert not networks.run(dynamic(layer("MatMul", weight)), {"x": ROWS})["y"][:, 4].any()


def test_the_bytes_are_the_same_in_every_process() -> None:
    raw = networks.rows()
    call = "converter.quantization.dynamic:dynamic(raw, {'relu0', 'relu1', 'relu2'})"
    assert in_another_process(call, raw) == digest(dynamic(raw, {"relu0", "relu1", "relu2"}))
