"""Float16 from the first layer to the last: where it is, what it rounds, what TensorRT takes."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, shape_inference

from converter.backends.tensorrt import try_builds
from converter.quantization.half import half
from converter.quantization.half_rounding import with_rounding
from edge_runtime.bundle.manifest import Profile
from edge_runtime.errors import ConversionError
from tests.converter.quantization import networks
from tests.converter.quantization.at_load import digest, in_another_process
from tests.support.graphs import graph

PROFILE = Profile(min_rows=1, opt_rows=1, max_rows=64)
FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
NETWORKS = [networks.images, networks.series, networks.rows]


def in_half(raw: bytes) -> set[str]:
    """Names of the nodes that give float16; Casts aside."""
    model = onnx.load_from_string(raw)
    inferred = shape_inference.infer_shapes(model, strict_mode=True).graph
    made = {value.name for value in inferred.value_info if value.type.tensor_type.elem_type == HALF}
    return {
        node.name
        for node in model.graph.node
        if node.op_type != "Cast" and made.intersection(node.output)
    }


def casts(raw: bytes) -> int:
    return sum(node.op_type == "Cast" for node in onnx.load_from_string(raw).graph.node)


def dense(**weights: np.ndarray) -> bytes:
    """x (n, 8) through scaler · w1, Relu, · w2, + b, softmax."""
    arrays = {name: np.asarray(array, np.float32) for name, array in weights.items()}
    nodes = [
        helper.make_node("Mul", ["x", "rate"], ["scaled"], name="scaler"),
        helper.make_node("MatMul", ["scaled", "w1"], ["h1"], name="layer1"),
        helper.make_node("Relu", ["h1"], ["h2"], name="relu"),
        helper.make_node("MatMul", ["h2", "w2"], ["h3"], name="layer2"),
        helper.make_node("Add", ["h3", "b"], ["h4"], name="bias"),
        helper.make_node("Softmax", ["h4"], ["probabilities"], name="softmax"),
        helper.make_node("ArgMax", ["h4"], ["label"], name="argmax", axis=1, keepdims=0),
    ]
    return graph(
        nodes,
        [("x", FLOAT, ["n", 8])],
        [("label", TensorProto.INT64, ["n"]), ("probabilities", FLOAT, ["n", 4])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )


def weights(seed: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    shapes = {"rate": (8,), "w1": (8, 16), "w2": (16, 4), "b": (4,)}
    return {name: random.normal(size=shape) for name, shape in shapes.items()}


def test_float16_begins_at_the_first_layer_and_ends_at_the_last() -> None:
    raw = dense(**weights())
    made = half(raw, {"scaler"})
    assert in_half(made) == {"layer1", "relu", "layer2"}
    assert casts(made) == 2
    given, made_of = (onnx.load_from_string(each).graph for each in (raw, made))
    assert list(given.input) == list(made_of.input)
    assert list(given.output) == list(made_of.output)
    kept = {each.name: each.data_type for each in made_of.initializer}
    assert kept["rate"] == kept["b"] == FLOAT
    assert sorted(kept.values()) == [FLOAT, FLOAT, HALF, HALF]


def test_a_residual_network_has_casts_at_its_borders_only() -> None:
    made = half(networks.images(), {"scaler"})
    assert in_half(made) == {
        "conv", "relu", "pool", "depthwise", "gain", "shift", "clip", "pointwise", "residual", "average",
        "flat", "dense",
    }  # fmt: skip
    assert casts(made) == 2


@pytest.mark.parametrize("name", ["w1", "w2"])
@pytest.mark.parametrize("size", [70_000.0, 1e-9])
def test_a_layer_whose_weights_float16_does_not_hold_stays_in_float32(name: str, size: float) -> None:
    given = weights()
    given[name] = given[name] * size
    raw = dense(**given)
    made = half(raw, {"scaler"})
    (kept,) = {"w1", "w2"} - {name}
    assert in_half(made) == {f"layer{kept[1]}"}
    assert casts(made) == 2


def test_what_is_excluded_stays_in_float32() -> None:
    made = half(dense(**weights()), {"scaler"}, excluded={"layer2"})
    assert in_half(made) == {"layer1"}


@pytest.mark.parametrize("excluded", [{"layer1", "layer2"}, {"scaler", "layer1", "relu", "layer2"}])
def test_a_graph_without_layers_is_told_so(excluded: set[str]) -> None:
    with pytest.raises(ConversionError) as told:
        half(dense(**weights()), excluded=excluded)
    assert str(told.value) == (
        "half: expected a layer outside of preprocessing whose weights float16 holds, found none. "
        "Ship the model as it is."
    )


def test_squares_means_and_roots_between_layers_stay_in_float32() -> None:
    net = networks.Network()
    net.node("MatMul", "x", net.drawn("w1", 16, 32), to="layer1")
    net.node("ReduceMean", "layer1", to="mean", axes=[1])
    net.node("Sub", "layer1", "mean", to="centred")
    net.node("Mul", "centred", "centred", to="square")
    net.node("ReduceMean", "square", to="variance", axes=[1])
    net.node("Add", "variance", net.constant("epsilon", np.float32(1e-6)), to="safe")
    net.node("Sqrt", "safe", to="spread")
    net.node("Div", "centred", "spread", to="normal")
    net.node("MatMul", "normal", net.drawn("w2", 32, 4), to="value")
    made = half(net.raw([16], {"value": ["batch", 4]}))
    assert in_half(made) == {"layer1", "centred", "value"}
    feed = networks.data(made)
    feed["x"] *= 3000  # squares far beyond 65,504
    assert np.isfinite(networks.run(with_rounding(made), feed)["value"]).all()


def test_rounding_is_float16s_after_every_node() -> None:
    """Beside the same in numpy, where each product is summed in float32 and rounded once."""
    given = weights()
    rows = np.random.default_rng(5).normal(size=(50, 8)).astype(np.float32)
    made = with_rounding(half(dense(**given), {"scaler"}))

    def rounded(array: np.ndarray) -> np.ndarray:
        return array.astype(np.float16).astype(np.float32)

    w1, w2 = rounded(given["w1"]), rounded(given["w2"])
    hidden = np.maximum(rounded(rounded(rows * given["rate"].astype(np.float32)) @ w1), 0)
    logits = rounded(hidden @ w2) + given["b"].astype(np.float32)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    found = networks.run(made, {"x": rows})
    assert np.abs(found["probabilities"] - shares).max() < 1e-6
    without = networks.run(half(dense(**given), {"scaler"}), {"x": rows})
    assert np.abs(without["probabilities"] - shares).max() > 1e-5  # ONNX Runtime alone does not round


def test_rounding_shows_what_is_infinite_in_float16() -> None:
    made = half(dense(**weights()), {"scaler"})
    rows = np.full((2, 8), 30_000, np.float32)
    assert np.isfinite(networks.run(made, {"x": rows})["probabilities"]).all()
    assert not np.isfinite(networks.run(with_rounding(made), {"x": rows})["probabilities"]).all()


@pytest.mark.parametrize("make", NETWORKS)
def test_answers_differ_by_rounding(make: Any) -> None:
    raw = make()
    feed = networks.data(raw)
    said, heard = networks.run(raw, feed), networks.run(with_rounding(half(raw)), feed)
    for name, array in said.items():
        if array.dtype == np.float32:
            assert 0 < np.abs(heard[name] - array).max() < 0.01 * array.std()


def test_the_bytes_are_the_same_in_every_process() -> None:
    raw = networks.images()
    call = "converter.quantization.half:half(raw, {'scaler', 'conv', 'relu'})"
    assert in_another_process(call, raw) == digest(half(raw, {"scaler", "conv", "relu"}))


@pytest.mark.parametrize("make", NETWORKS)
def test_tensorrt_builds_it_strongly_typed(make: Any) -> None:
    for trial in try_builds(half(make()), PROFILE, ["8.6", "12.0"]):
        assert trial.why == ""
        assert trial.plan_bytes > 1000
