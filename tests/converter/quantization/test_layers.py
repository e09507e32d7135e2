"""What is quantized: layers with constant weights, and what only hands their numbers on."""

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from converter.quantization.layers import followers, layers
from tests.converter.quantization.networks import Network, images, rows, series


def test_layers_are_named_in_the_graphs_order() -> None:
    assert layers(images()) == ("conv", "depthwise", "pointwise", "dense")
    assert layers(series()) == ("conv1", "conv2", "value")


def test_what_is_named_as_preprocessing_is_none() -> None:
    assert layers(images(), {"conv", "scaler"}) == ("depthwise", "pointwise", "dense")


def test_a_weight_is_a_constant_of_float32_or_a_transpose_of_one() -> None:
    net = Network()
    net.node("Transpose", net.drawn("w", 4, 16), to="turned", perm=[1, 0])
    net.node("MatMul", "x", "turned", to="first")
    net.node("MatMul", "first", "first", to="of_two_activations")
    net.node("Cast", "of_two_activations", to="wide", dtype=TensorProto.DOUBLE)
    net.node("MatMul", "wide", net.constant("eye", np.eye(4)), to="in_float64")
    net.node("Cast", "in_float64", to="value", dtype=TensorProto.FLOAT)
    assert layers(net.raw([4, 16], {"value": ["batch", 4, 4]})) == ("first",)


def test_a_weight_of_several_matrices_and_a_transposed_activation_are_left_alone() -> None:
    net = Network()
    net.node("MatMul", "x", net.drawn("w", 2, 16, 4), to="batched")
    net.node("Gemm", "flat", net.drawn("v", 3, 4), to="turned", transA=1)
    net.node("Reshape", "batched", net.constant("shape", np.array([3, -1])), to="flat")
    net.nodes.sort(key=lambda node: ["batched", "flat", "turned"].index(node.name))
    net.node("Identity", "turned", to="value")
    assert layers(net.raw([2, 3, 16], {"value": ["n", 4]})) == ()


def test_followers_hand_on_what_layers_made() -> None:
    raw = images()
    # `gain` computes in float, and `shift` and `clip` behind it.
    assert followers(raw, layers(raw)) == ("relu", "pool", "residual", "average", "flat")
    raw = series()
    assert followers(raw, layers(raw)) == ("narrow2", "relu2", "average", "flat")


def test_nothing_follows_the_last_layer_but_its_rectifier() -> None:
    net = Network()
    net.node("MatMul", "x", net.drawn("w", 16, 6), to="dense")
    net.node("Relu", "dense", to="relu")
    net.node("Reshape", "relu", net.constant("shape", np.array([-1, 3])), to="value")
    raw = net.raw([16], {"value": ["n", 3]})
    assert followers(raw, layers(raw)) == ("relu",)


def test_what_reads_anything_that_no_layer_made_is_no_follower() -> None:
    net = Network()
    net.node("Sigmoid", "x", to="gate")
    net.node("MatMul", "x", net.drawn("w1", 16, 16), to="first")
    net.node("Add", "first", "gate", to="mixed")
    net.node("Add", "first", net.drawn("b", 16), to="biased")
    net.node("Concat", "mixed", "biased", to="both", axis=1)
    net.node("MatMul", "both", net.drawn("w2", 32, 3), to="second")
    net.node("MatMul", "biased", net.drawn("w3", 16, 3), to="third")
    net.node("Add", "second", "third", to="value")
    raw = net.raw([16], {"value": ["batch", 3]})
    assert followers(raw, layers(raw)) == ("biased",)
    assert followers(raw, ("second",)) == ()


def test_a_gate_inside_follows_and_a_head_does_not() -> None:
    net = Network()
    net.node("MatMul", "x", net.drawn("w1", 16, 8), to="first")
    net.node("Sigmoid", "first", to="gate")
    net.node("Mul", "first", "gate", to="swish")
    net.node("Mul", "swish", net.drawn("rate", 8), to="scaled")  # by constants of many sizes
    net.node("MatMul", "swish", net.drawn("w2", 8, 3), to="second")
    net.node("Sigmoid", "second", to="value")
    net.node("MatMul", "scaled", net.drawn("w3", 8, 3), to="other")
    raw = net.raw([16], {"value": ["batch", 3], "other": ["batch", 3]})
    assert followers(raw, layers(raw)) == ("gate", "swish")


@pytest.mark.parametrize(("low", "high", "is_one"), [(0, 6, True), (-1, 1, True), (1, 2, False)])
def test_a_clip_follows_where_its_range_holds_0(low: float, high: float, is_one: bool) -> None:
    """A quantized range always does: one of 1 to 2 could not be clipped by it."""
    net = Network()
    limits: list[Any] = [net.constant(f"limit{each}", np.float32(each)) for each in (low, high)]
    net.node("MatMul", "x", net.drawn("w", 16, 4), to="dense")
    net.node("Clip", "dense", *limits, to="value")
    raw = net.raw([16], {"value": ["batch", 4]})
    assert followers(raw, layers(raw)) == (("value",) if is_one else ())


def test_heads_are_never_followers() -> None:
    assert not {"probabilities", "refused"} & {*followers(images(), layers(images()))}
    assert followers(rows(), layers(rows())) == ("relu0", "relu1", "relu2")
