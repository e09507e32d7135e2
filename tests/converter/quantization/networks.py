"""Small networks as front ends write them, with weights that are drawn, and data for them."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from converter.quantization.layers import layers
from converter.quantization.static import Observed, fused, observe, quantized
from tests.support.graphs import graph

FLOAT, BOOL = TensorProto.FLOAT, TensorProto.BOOL
Array = np.ndarray[Any, Any]


class Network:
    """Nodes one after another. Each is called what its output is called; constants are drawn."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, array: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def drawn(self, name: str, *shape: int) -> str:
        spread = 1 / np.sqrt(np.prod(shape[1:]) if len(shape) > 2 else shape[0])
        return self.constant(name, self.random.normal(0, spread, shape).astype(np.float32))

    def node(self, operator: str, *inputs: str, to: str, **attributes: Any) -> str:
        if "dtype" in attributes:  # of a Cast
            attributes["to"] = attributes.pop("dtype")
        made = helper.make_node(operator, list(inputs), [to], name=to, **attributes)
        self.nodes.append(made)
        return to

    def along_series(self, given: str, at: str, *, channels: int) -> str:
        """A convolution with 8 filters as Keras' Conv1D writes it; a constant `axis` says where."""
        self.node("Unsqueeze", given, "axis", to=f"wide{at}")
        self.node("Conv", f"wide{at}", self.drawn(f"w{at}", 8, channels, 1, 3), to=f"conv{at}")
        return self.node("Squeeze", f"conv{at}", "axis", to=f"narrow{at}")

    def raw(self, shape: list[Any], outputs: dict[str, list[Any]]) -> bytes:
        given = [(name, BOOL if name == "refused" else FLOAT, size) for name, size in outputs.items()]
        made = graph(self.nodes, [("x", FLOAT, ["batch", *shape])], given, self.constants)
        onnx.checker.check_model(made, full_check=True)
        return made


def images() -> bytes:
    """x (n, 3, 8, 8): scaled, convolved with a residual, pooled, dense, softmax; `refused` where NaN."""
    net = Network()
    net.node("IsNaN", "x", to="refused")
    net.node("Mul", "x", net.constant("rate", np.float32(0.5)), to="scaler")
    net.node("Conv", "scaler", net.drawn("w1", 8, 3, 3, 3), net.drawn("b1", 8), to="conv", pads=[1] * 4)
    net.node("Relu", "conv", to="relu")
    net.node("MaxPool", "relu", to="pool", kernel_shape=[2, 2], strides=[2, 2])
    net.node("Conv", "pool", net.drawn("w2", 8, 1, 3, 3), to="depthwise", pads=[1] * 4, group=8)
    net.node("Mul", "depthwise", net.drawn("gamma", 1, 8, 1, 1), to="gain")
    net.node("Add", "gain", net.drawn("beta", 1, 8, 1, 1), to="shift")
    low, high = net.constant("low", np.float32(0)), net.constant("high", np.float32(6))
    net.node("Clip", "shift", low, high, to="clip")
    net.node("Conv", "clip", net.drawn("w3", 8, 8, 1, 1), net.drawn("b3", 8), to="pointwise")
    net.node("Add", "pointwise", "pool", to="residual")
    net.node("GlobalAveragePool", "residual", to="average")
    net.node("Squeeze", "average", net.constant("axes", np.array([2, 3])), to="flat")
    net.node("MatMul", "flat", net.drawn("w4", 8, 4), to="dense")
    net.node("Add", "dense", net.drawn("b4", 4), to="logits")
    net.node("Softmax", "logits", to="probabilities", axis=1)
    return net.raw([3, 8, 8], {"refused": ["batch", 3, 8, 8], "probabilities": ["batch", 4]})


def series() -> bytes:
    """x (n, 4, 32): what Keras' Conv1D becomes, two of them with normalization between."""
    net = Network()
    net.constant("axis", np.array([2]))
    net.node("Relu", net.along_series("x", "1", channels=4), to="relu1")
    scale = np.linspace(0.5, 2, 8, dtype=np.float32).reshape(1, 8, 1)
    net.node("Mul", "relu1", net.constant("gamma", scale), to="gain")
    net.node("Add", "gain", net.drawn("beta", 1, 8, 1), to="shift")
    net.node("Relu", net.along_series("shift", "2", channels=8), to="relu2")
    net.node("GlobalAveragePool", "relu2", to="average")
    net.node("Squeeze", "average", "axis", to="flat")
    net.node("MatMul", "flat", net.drawn("w3", 8, 3), to="value")
    return net.raw([4, 32], {"value": ["batch", 3]})


def rows(loud: str = "", factor: float = 100.0) -> bytes:
    """x (n, 16): four dense layers. Of the one whose weight is `loud`, one column is `factor` larger.

    The next layer's row for that column is as much smaller, so that all of them have their say.
    """
    net = Network()
    sizes, given = (16, 24, 24, 24, 4), "x"
    weights = [net.drawn(f"w{at}", *sizes[at : at + 2]) for at in range(4)]
    if loud:
        _make_loud(net, weights.index(loud), np.float32(factor))
    for at, weight in enumerate(weights):
        given = net.node("MatMul", given, weight, to=f"dense{at}")
        if at < 3:
            given = net.node("Relu", given, to=f"relu{at}")
    net.node("Identity", given, to="value")
    return net.raw([16], {"value": ["batch", 4]})


def _make_loud(net: Network, at: int, factor: np.float32) -> None:
    own, after = (numpy_helper.to_array(each).copy() for each in net.constants[at : at + 2])
    own[:, 0] *= factor
    after[0] /= factor
    for place, array in ((at, own), (at + 1, after)):
        net.constants[place].CopyFrom(numpy_helper.from_array(array, f"w{place}"))


NETWORKS = {"images": images, "series": series, "rows": rows}


def data(raw: bytes, count: int = 64, seed: int = 1) -> dict[str, Array]:
    """A batch of normal numbers for a network's input x."""
    shape = onnx.load_from_string(raw).graph.input[0].type.tensor_type.shape.dim[1:]
    drawn = np.random.default_rng(seed).normal(size=(count, *(each.dim_value for each in shape)))
    return {"x": drawn.astype(np.float32)}


def run(raw: bytes, feed: dict[str, Array]) -> dict[str, Array]:
    """Every output, by ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(raw, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, feed), strict=True))


def nodes(raw: bytes) -> dict[str, Any]:
    """Nodes by name."""
    return {node.name: node for node in onnx.load_from_string(raw).graph.node}


def calibrated(raw: bytes, preprocessing: frozenset[str] = frozenset()) -> tuple[bytes, Observed]:
    """The network fused, and what calibration saw in it."""
    made = fused(raw, preprocessing)
    return made, observe(made, [data(raw)], layers(made, preprocessing))


def made_of(raw: bytes, flavour: Any, **options: Any) -> bytes:
    """The network quantized, its ranges those of all data."""
    made, observed = calibrated(raw)
    return quantized(made, observed, method="minmax", flavour=flavour, **options)
