"""What follows a layer becomes its weights; the function stays."""

from typing import Any

import numpy as np
import onnx
import pytest

from converter.quantization import fusing
from converter.quantization.fusing import fused
from tests.converter.quantization.networks import Network, data, images, nodes, rows, run, series


def same(raw: bytes, made: bytes) -> bool:
    feed = data(raw)
    expected, found = run(raw, feed), run(made, feed)
    assert list(expected) == list(found)
    return all(np.allclose(expected[name], found[name], atol=1e-5) for name in expected)


def operators(raw: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(raw).graph.node]


@pytest.mark.parametrize("network", [images, series, rows])
def test_the_function_and_the_names_of_layers_stay(network: Any) -> None:
    raw = network()
    made = fused(raw)
    assert same(raw, made)
    assert set(nodes(made)) <= set(nodes(raw))
    before, after = (onnx.load_from_string(each) for each in (raw, made))
    assert (before.opset_import, before.ir_version) == (after.opset_import, after.ir_version)
    onnx.checker.check_model(made, full_check=True)


def test_normalization_behind_a_convolution_becomes_its_weight_and_bias() -> None:
    made = nodes(fused(images()))
    assert not {"gain", "shift"} & set(made)
    assert len(made["depthwise"].input) == 3


def test_a_product_of_rows_and_its_bias_become_a_gemm_of_the_same_name() -> None:
    made = nodes(fused(images()))
    assert made["dense"].op_type == "Gemm"
    assert "logits" not in made


def test_series_lose_the_squeezes_between_their_convolutions() -> None:
    """And the scale behind the Relu, all positive, moves in front of it."""
    assert operators(fused(series())) == [
        "Unsqueeze", "Conv", "Relu", "Add", "Conv", "Relu",
        "Squeeze", "GlobalAveragePool", "Squeeze", "MatMul",
    ]  # fmt: skip


def test_a_causal_convolution_of_a_series_pads_by_itself() -> None:
    net = Network()
    net.constant("axis", np.array([2]))
    net.node("Relu", net.along_series("x", "1", channels=4), to="relu1")
    net.node("Pad", "relu1", net.constant("pads", np.array([0, 0, 2, 0, 0, 0])), to="padded")
    value = net.along_series("padded", "2", channels=8)
    raw = net.raw([4, 16], {value: ["batch", 8, 14]})
    assert operators(fused(raw)) == ["Unsqueeze", "Conv", "Relu", "Conv", "Squeeze"]
    assert same(raw, fused(raw))


def test_a_negative_scale_stays_behind_its_relu() -> None:
    net = Network()
    net.node("MatMul", "x", net.drawn("w", 16, 4), to="dense")
    net.node("Relu", "dense", to="relu")
    net.node("Mul", "relu", net.constant("gamma", np.array([1, 2, -1, 3], np.float32)), to="value")
    raw = net.raw([16], {"value": ["batch", 4]})
    assert operators(fused(raw)) == ["MatMul", "Relu", "Mul"]


def test_batch_normalization_is_folded_too() -> None:
    net = Network()
    net.node("Conv", "x", net.drawn("w", 5, 3, 3, 3), net.drawn("b", 5), to="conv")
    given = [net.drawn(name, 5) for name in ("gamma", "beta", "mean")]
    given.append(net.constant("variance", np.linspace(0.5, 2, 5, dtype=np.float32)))
    net.node("BatchNormalization", "conv", *given, to="value", epsilon=1e-3)
    raw = net.raw([3, 8, 8], {"value": ["batch", 5, 6, 6]})
    assert operators(fused(raw)) == ["Conv"]
    assert same(raw, fused(raw))


def test_zeros_around_an_image_become_padding_and_other_numbers_do_not() -> None:
    def padded(value: float) -> bytes:
        net = Network()
        pads = net.constant("pads", np.array([0, 0, 0, 1, 0, 0, 2, 1]))
        net.node("Pad", "x", pads, net.constant("value", np.float32(value)), to="padded")
        net.node("Conv", "padded", net.drawn("w", 5, 3, 3, 3), to="y", pads=[1, 0, 0, 0])
        return net.raw([3, 8, 8], {"y": ["batch", 5, 9, 8]})

    assert operators(fused(padded(0))) == ["Conv"]
    assert same(padded(0), fused(padded(0)))
    assert fused(padded(1)) == padded(1)


def test_a_maximum_of_0_is_a_relu_and_a_transposed_weight_a_weight() -> None:
    """As scikit-learn's networks and front ends other than Keras' have them."""
    net = Network()
    net.node("Transpose", net.drawn("w", 4, 16), to="turned")
    net.node("MatMul", "x", "turned", to="dense")
    net.node("Max", "dense", net.constant("zero", np.float32(0)), to="value")
    raw = net.raw([16], {"value": ["batch", 4]})
    assert operators(fused(raw)) == ["MatMul", "Relu"]
    assert same(raw, fused(raw))


def test_where_there_is_nothing_to_fuse_the_file_comes_back() -> None:
    """Whatever it says besides, which a file written anew would not."""
    model = onnx.load_from_string(rows())
    model.graph.value_info.append(onnx.helper.make_tensor_value_info("dense0", 1, ["batch", 24]))
    raw = model.SerializeToString()
    assert fused(raw, feeds=[data(raw)]) == raw


def test_preprocessing_is_left_as_it_is() -> None:
    """Even where a layer of the preprocessing is followed by what could become part of it."""
    net = Network()
    net.node("MatMul", "x", net.drawn("dft", 16, 16), to="spectrum")
    net.node("Mul", "spectrum", net.drawn("rate", 16), to="scaled")
    net.node("MatMul", "scaled", net.drawn("w", 16, 4), to="value")
    raw = net.raw([16], {"value": ["batch", 4]})
    assert operators(fused(raw)) == ["MatMul", "MatMul"]
    assert operators(fused(raw, {"spectrum"})) == ["MatMul", "Mul", "MatMul"]
    assert operators(fused(raw, {"scaled"})) == ["MatMul", "Mul", "MatMul"]


def test_what_others_read_or_the_graph_gives_stays() -> None:
    net = Network()
    net.node("MatMul", "x", net.drawn("w", 16, 4), to="dense")
    net.node("Add", "dense", net.drawn("b", 4), to="value")
    raw = net.raw([16], {"dense": ["batch", 4], "value": ["batch", 4]})
    assert operators(fused(raw)) == ["MatMul", "Add"]
    assert same(raw, fused(raw))


def test_a_graph_that_would_answer_otherwise_comes_back_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Shown by a fold that is wrong: it drops every Relu."""

    def wrong(edited: Any, _ranks: Any) -> bool:
        rectifiers = [node for node in edited.nodes() if node.op_type == "Relu"]
        for node in rectifiers:
            edited.remove(node)
        return bool(rectifiers)

    monkeypatch.setattr(fusing.padding, "joined", wrong)
    raw = rows()
    assert fused(raw, feeds=[data(raw)]) == raw
    assert fused(raw) != raw
