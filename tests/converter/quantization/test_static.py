"""Static quantization in two flavours of one calibration."""

import subprocess
import sys
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from converter.quantization.layers import followers, layers
from converter.quantization.ranges import METHODS
from converter.quantization.static import Observed, fused, observe, quantized, weights_ratio
from edge_runtime.errors import ConversionError, InputError
from tests.converter.quantization.networks import (
    NETWORKS,
    Network,
    calibrated,
    data,
    images,
    made_of,
    nodes,
    rows,
    run,
    series,
)


def stored(raw: bytes) -> dict[str, Any]:
    """The constants of a graph, by name."""
    return {
        each.name: numpy_helper.to_array(each) for each in onnx.load_from_string(raw).graph.initializer
    }


def behind(raw: bytes, operator: str, at: int) -> list[Any]:
    """Operand `at` of every node of an operator, where it is a constant."""
    constants = stored(raw)
    found = [node.input[at] for node in nodes(raw).values() if node.op_type == operator]
    return [constants[name] for name in found if name in constants]


@pytest.mark.parametrize("flavour", ["uint8", "int8"])
@pytest.mark.parametrize("network", NETWORKS)
def test_the_answers_are_close_and_the_rest_of_the_graph_stays(network: str, flavour: Any) -> None:
    raw = NETWORKS[network]()
    made, observed = calibrated(raw)
    small = quantized(made, observed, method="minmax", flavour=flavour)
    feed = data(raw, seed=2)
    expected, found = run(raw, feed), run(small, feed)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        differences = np.abs(found[name].astype(float) - tensor)
        assert differences.max() <= 0.1 * np.abs(tensor.astype(float)).max()
    before, after = (onnx.load_from_string(each) for each in (raw, small))
    assert (before.opset_import, before.ir_version) == (after.opset_import, after.ir_version)
    assert before.graph.input == after.graph.input
    assert before.graph.output == after.graph.output


def test_uint8_is_what_integer_kernels_of_cpus_take() -> None:
    """Activations from 0 to 255, weights of seven bits around 0, biases of int32."""
    small = made_of(images(), "uint8")
    assert {zero.dtype for zero in behind(small, "QuantizeLinear", 2)} == {np.dtype(np.uint8)}
    whole = {array.dtype.name: array for array in behind(small, "DequantizeLinear", 0)}
    assert set(whole) == {"int8", "int32"}
    for weight in behind(small, "DequantizeLinear", 0):
        assert weight.dtype == np.int32 or np.abs(weight.astype(int)).max() == 64
    assert all(len(nodes(small)[name].input) == 3 for name in ("conv", "depthwise", "pointwise"))


def test_int8_is_what_tensorrt_takes() -> None:
    """Both around 0, and biases in float: its parser refuses int32."""
    small = made_of(images(), "int8")
    assert {(zero.dtype.name, int(zero)) for zero in behind(small, "QuantizeLinear", 2)} == {("int8", 0)}
    weights = behind(small, "DequantizeLinear", 0)
    assert {weight.dtype.name for weight in weights} == {"int8"}
    assert max(np.abs(weight.astype(int)).max() for weight in weights) == 127
    biases = [stored(small)[nodes(small)[name].input[2]] for name in ("conv", "depthwise", "pointwise")]
    assert {bias.dtype.name for bias in biases} == {"float32"}


def test_each_output_of_a_layer_has_its_own_scale() -> None:
    small, axes = made_of(images(), "int8"), {}
    for node in nodes(small).values():
        if node.op_type == "DequantizeLinear" and (scale := stored(small)[node.input[1]]).ndim:
            axis = onnx.helper.get_attribute_value(node.attribute[0])
            axes[stored(small)[node.input[0]].shape] = (axis, len(scale))
    assert axes == {(8, 3, 3, 3): (0, 8), (8, 1, 3, 3): (0, 8), (8, 8, 1, 1): (0, 8), (8, 4): (1, 4)}


@pytest.mark.parametrize("flavour", ["uint8", "int8"])
def test_preprocessing_reads_and_gives_what_it_did(flavour: Any) -> None:
    """And so does what looks for NaN: it would find none in whole numbers."""
    small = made_of(images(), flavour)
    assert list(nodes(small)["scaler"].input) == ["x", "rate"]
    assert list(nodes(small)["refused"].input) == ["x"]
    feed = data(images())
    feed["x"][3, 1, 2, 2] = np.nan
    assert run(small, feed)["refused"].sum() == 1


@pytest.mark.parametrize("flavour", ["uint8", "int8"])
def test_a_layer_of_the_preprocessing_stays_in_float(flavour: Any) -> None:
    raw = images()
    made, observed = calibrated(raw, frozenset({"scaler", "conv"}))
    small = quantized(made, observed, method="minmax", flavour=flavour)
    assert list(nodes(small)["conv"].input) == list(nodes(raw)["conv"].input)
    assert np.array_equal(stored(small)["w1"], stored(raw)["w1"])


@pytest.mark.parametrize("flavour", ["uint8", "int8"])
def test_heads_and_outputs_read_floats(flavour: Any) -> None:
    """Of the last layer's output nothing is rounded."""
    for raw in (images(), rows()):
        small = onnx.load_from_string(made_of(raw, flavour))
        last = next(node for node in small.graph.node if node.name in ("dense", "dense3"))
        readers = [node.op_type for node in small.graph.node if last.output[0] in node.input]
        assert readers in (["Softmax"], ["Identity"])


def test_what_only_moves_numbers_keeps_their_scale() -> None:
    small = nodes(made_of(images(), "uint8"))
    scales = {
        node.input[0]: node.input[1] for node in small.values() if node.op_type == "QuantizeLinear"
    }
    assert scales["pool"] == scales["relu"]
    assert scales["residual"] != scales["pool"]


def test_onnxruntime_computes_in_integers(tmp_path: Any) -> None:
    """From the first quantization on to the last layer, nothing goes back to float."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3  # it warns that the file is for this machine
    onnxruntime.InferenceSession(made_of(images(), "uint8"), options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert kinds.count("QLinearConv") == 3
    assert {"QLinearAdd", "QLinearGlobalAveragePool", "QGemm"} <= set(kinds)
    assert kinds.count("QuantizeLinear") == 1
    assert not {"Conv", "Gemm", "MatMul", "DequantizeLinear"} & set(kinds)


def test_layers_may_stay_in_float32() -> None:
    small = made_of(rows(), "uint8", excluded=("dense1", "dense2"))
    weights = [nodes(small)[f"dense{at}"].input[1] for at in range(4)]
    assert [name in stored(small) for name in weights] == [False, True, True, False]
    assert set(followers(rows(), ("dense0", "dense3"))) == {"relu0"}


def test_methods_differ_in_their_ranges_only() -> None:
    made = fused(rows())
    observed = observe(made, [data(made, 3000)], layers(made))
    found = {method: quantized(made, observed, method=method, flavour="int8") for method in METHODS}
    assert len(set(found.values())) == 3
    constants = [
        {name: array for name, array in stored(each).items() if array.shape != ()}
        for each in found.values()
    ]
    for other in constants[1:]:
        assert all(np.array_equal(array, other[name]) for name, array in constants[0].items())


def test_batches_of_any_size_give_the_same_ranges() -> None:
    raw = fused(images())
    feed = data(raw, 70)
    parts = [{"x": feed["x"][at : at + 9]} for at in range(0, 70, 9)]
    one, several = (observe(raw, feeds, layers(raw)) for feeds in ([feed], parts))
    for method in METHODS:
        assert quantized(raw, one, method=method, flavour="uint8") == quantized(
            raw, several, method=method, flavour="uint8"
        )


def test_a_bias_that_int32_could_not_hold_gets_larger_steps() -> None:
    net = Network()
    net.node("Conv", "x", net.constant("w", np.full((2, 3, 1, 1), 1e-12, np.float32)),
             net.constant("b", np.array([3, -5], np.float32)), to="conv")  # fmt: skip
    net.node("Relu", "conv", to="value")
    raw = net.raw([3, 4, 4], {"value": ["batch", 2, 4, 4]})
    found = run(made_of(raw, "uint8"), data(raw))["value"]
    assert np.allclose(found[:, 0], 3, atol=0.05)
    assert not found[:, 1].any()


def test_a_channel_of_zeros_stays_its_bias() -> None:
    net = Network()
    weight = net.random.normal(size=(16, 3)).astype(np.float32) * np.array([1, 0, 1], np.float32)
    net.node(
        "Gemm", "x", net.constant("w", weight), net.constant("b", np.ones(3, np.float32)), to="value"
    )
    raw = net.raw([16], {"value": ["batch", 3]})
    for flavour in ("uint8", "int8"):
        assert np.allclose(run(made_of(raw, flavour), data(raw))["value"][:, 1], 1, atol=0.01)


def test_weights_take_a_quarter_of_their_bytes_and_a_little() -> None:
    made, observed = calibrated(rows())
    small = quantized(made, observed, method="minmax", flavour="int8")
    sizes = [16 * 24, 24 * 24, 24 * 24, 24 * 4]
    expected = sum(sizes) + 5 * (24 * 3 + 4)  # a scale and a zero point for each output
    assert weights_ratio(made, small) == expected / (4 * sum(sizes))
    part = quantized(made, observed, method="minmax", flavour="int8", excluded=("dense1", "dense2"))
    expected = sizes[0] + sizes[3] + 5 * (24 + 4)
    assert weights_ratio(made, part) == expected / (4 * (sizes[0] + sizes[3]))
    assert weights_ratio(made, made) == 1


PROGRAM = """
import sys
from tests.converter.quantization.test_static import *
sys.stdout.buffer.write(made_of(images(), "uint8") + made_of(series(), "int8"))
"""


def test_another_process_makes_the_same_bytes() -> None:
    """With other hashes of strings: no set decides an order."""
    made = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert made[0] == made[1] == made_of(images(), "uint8") + made_of(series(), "int8")


def test_calibration_needs_inputs_that_the_graph_takes() -> None:
    raw = fused(rows())
    with pytest.raises(
        InputError, match=r"^calibration: expected inputs of training, found none\. Give some\.$"
    ):
        observe(raw, [], layers(raw))
    with pytest.raises(
        ConversionError, match=r"^calibration: the model cannot be run on these inputs: "
    ):
        observe(raw, [{"x": np.zeros((3, 5), np.float32)}], layers(raw))


def test_another_graph_than_the_observed_one_is_refused() -> None:
    made, observed = calibrated(rows())
    with pytest.raises(ConversionError, match="no layer is left to quantize"):
        quantized(made, observed, method="minmax", flavour="int8", excluded=layers(made))
    other = Observed(layers(fused(images())), observed.histograms, observed.feeds)
    with pytest.raises(
        ConversionError, match=r"'scaler' was not observed\. Give the graph that was calibrated"
    ):
        quantized(fused(images()), other, method="minmax", flavour="int8")


def test_a_weight_that_only_becomes_one_by_fusing_is_refused_before() -> None:
    net = Network()
    net.node("Transpose", net.drawn("w", 4, 16), to="turned")
    net.node("MatMul", "x", "turned", to="value")
    raw = net.raw([16], {"value": ["batch", 4]})
    observed = observe(raw, [data(raw)], layers(raw))
    with pytest.raises(ConversionError, match="node 'value': expected a weight that is a constant"):
        quantized(raw, observed, method="minmax", flavour="int8")
