"""Which nodes of a graph are quantized: layers with constant weights, and what only moves their numbers.

Everything else stays in float: preprocessing, where eight bits lose what the weights were trained on
(with a scaler folded into the first layer, accuracy fell by 31 points), and the heads, Softmax and
Sigmoid, whose inputs decide labels.
"""

from collections.abc import Collection, Iterator
from typing import Any

import onnx
from numpy.typing import NDArray

from converter.quantization.wiring import Wiring, attributes, is_float32, is_standard, wired

# Where each layer's outputs lie in its weight. That of MatMul and Gemm has two axes.
_OUTPUT_AXES = {"Conv": 0, "ConvTranspose": 1, "MatMul": 1, "Gemm": 1}
# They give numbers that they were given: one scale serves what goes in and what comes out.
MOVERS = frozenset({"Flatten", "MaxPool", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
_JOINERS = frozenset({"Add", "Concat", "Mul"})
_GATES = frozenset({"Sigmoid"})  # x · sigmoid(x), and squeeze and excitation
RECTIFIERS = frozenset({"Clip", "Relu"})
_POOLS = frozenset({"AveragePool", "GlobalAveragePool"})
_FOLLOWERS = _GATES | MOVERS | _JOINERS | RECTIFIERS | _POOLS


def layers(model: Any, preprocessing: Collection[str] = frozenset()) -> tuple[str, ...]:
    """Names of the nodes that may be quantized as layers, in the graph's order.

    model: an `onnx.ModelProto` or its bytes. preprocessing: names of nodes that are not to be touched.
    A layer is a Conv, ConvTranspose, MatMul or Gemm whose weight is a constant of float32, or an
    Identity or Transpose of one.
    """
    graph = _read(model)
    wiring = wired(graph)
    return tuple(
        node.name
        for node in graph.graph.node
        if node.name and node.name not in preprocessing and _is_layer(node, wiring)
    )


def followers(model: Any, chosen: Collection[str]) -> tuple[str, ...]:
    """Names of the nodes that hand on what the layers `chosen` made to others of them, in order.

    Every number that one of them reads comes from those layers, or from another follower; Add may have a
    constant beside it. A Sigmoid that is a head leads to no layer, and so is none. A Relu or Clip right
    behind a layer is one, whatever reads it; a Clip only where it leaves 0 in its range, as every
    quantized range does.
    """
    graph = _read(model)
    wiring = wired(graph)
    made: set[str] = set()
    found = []
    for node in graph.graph.node:
        if node.name in chosen:
            made.update(node.output)
        elif node.name and is_standard(node, *_FOLLOWERS) and _follows(node, made, wiring):
            found.append(node)
            made.add(node.output[0])
    leading = set(chosen)  # and what leads to another of them
    for node in reversed(found):
        readers = wiring.readers.get(node.output[0], ())
        maker = wiring.makers[node.input[0]] if node.op_type in RECTIFIERS else None
        if any(reader.name in leading for reader in readers) or (maker and maker.name in chosen):
            leading.add(node.name)
    return tuple(node.name for node in found if node.name in leading)


def weight_axis(node: Any) -> int:
    """Which axis of a layer's weight counts its outputs."""
    if node.op_type == "Gemm" and attributes(node).get("transB", 0):
        return 0
    return _OUTPUT_AXES[node.op_type]


def activations(node: Any, wiring: Wiring) -> list[str]:
    """The values that a layer or a follower reads as numbers: no weights, shapes, axes or limits."""
    read = node.input if node.op_type in _JOINERS else node.input[:1]
    return [name for name in dict.fromkeys(read) if name not in wiring.constants]


def _is_layer(node: Any, wiring: Wiring) -> bool:
    if not is_standard(node, *_OUTPUT_AXES) or node.input[0] in wiring.constants:
        return False
    weight = _constant(node.input[1], wiring)
    if weight is None or not weight.size:
        return False
    if node.op_type in ("MatMul", "Gemm"):
        return weight.ndim == 2 and not attributes(node).get("transA", 0)
    return True


def _constant(name: str, wiring: Wiring) -> NDArray[Any] | None:
    """The constant of float32 behind a value, through Identity and Transpose; its axes may be others."""
    while (maker := wiring.makers.get(name)) is not None and is_standard(maker, "Identity", "Transpose"):
        name = maker.input[0]
    array = wiring.array(name)
    return array if is_float32(array) else None


def _follows(node: Any, made: Collection[str], wiring: Wiring) -> bool:
    if any(name for name in node.output[1:]):  # the places of a MaxPool's numbers
        return False
    read = activations(node, wiring)
    if not read or not all(name in made for name in read):
        return False
    constants = [name for name in node.input if name in wiring.constants]
    if node.op_type == "Add":
        return all(is_float32(wiring.array(name)) for name in constants)
    if node.op_type in ("Concat", "Mul"):
        return not constants
    return node.op_type != "Clip" or _leaves_zero(node, wiring)


def _leaves_zero(clip: Any, wiring: Wiring) -> bool:
    limits = list(_limits(clip, wiring))
    return None not in limits and limits[0] <= 0 <= limits[1]


def _limits(clip: Any, wiring: Wiring) -> Iterator[Any]:
    """Lowest and highest; None for one that is no constant."""
    given = [*clip.input[1:], "", ""][:2]
    for name, missing in zip(given, (-float("inf"), float("inf")), strict=True):
        array = wiring.array(name) if name else None
        yield missing if not name else None if array is None else float(array)


def _read(model: Any) -> Any:
    return onnx.load_from_string(model) if isinstance(model, bytes) else model
