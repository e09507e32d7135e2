"""Networks that compute in float16 from their first layer to their last, for TensorRT.

A strongly typed plan computes in the types of its graph, so that the graph says where float16 begins and
ends. What comes before the first layer stays in float32, and so does what comes after the last: raw
inputs may be larger than float16 holds, and Softmax, ArgMax and comparisons decide labels.
"""

from collections.abc import Collection
from typing import Any

import onnx
from onnx import TensorProto, helper

from converter.quantization.codes import as_float16
from converter.quantization.editing import Edited
from converter.quantization.layers import layers
from converter.quantization.wiring import Wiring, is_float32, is_standard
from converter.standard.narrowing import element_types
from edge_runtime.errors import ConversionError

_FLOAT, _HALF = TensorProto.FLOAT, TensorProto.FLOAT16
_RECURRENT = ("GRU", "LSTM", "RNN")
# What stays in range where its inputs do, or nearly. Exp, Pow, Sqrt, Div and means are not among them:
# a LayerNormalization's squares and small numbers need float32.
_BETWEEN = frozenset({
    "Abs", "Add", "AveragePool", "BatchNormalization", "Clip", "Concat", "DepthToSpace", "Elu", "Erf",
    "Expand", "Flatten", "Gather", "GlobalAveragePool", "GlobalMaxPool", "HardSigmoid", "HardSwish",
    "Identity", "LeakyRelu", "MatMul", "Max", "MaxPool", "Min", "Mul", "Neg", "PRelu", "Pad", "Relu",
    "Reshape", "Selu", "Sigmoid", "Slice", "SpaceToDepth", "Split", "Squeeze", "Sub", "Tanh", "Tile",
    "Transpose", "Unsqueeze", "Where",
})  # fmt: skip
_ASK_SHAPES = ("Shape", "Size")


def half(
    raw: bytes, preprocessing: Collection[str] = frozenset(), excluded: Collection[str] = frozenset()
) -> bytes:
    """The graph with its layers, and most of what is between them, in float16.

    preprocessing, excluded: names of nodes that stay in float32. A node of which float16 does not hold
    a constant stays there too. Inputs and outputs keep their dtypes; there are Casts where float16
    begins and ends, and nowhere else. The bytes depend on what is given only.

    Raises ConversionError where no layer is left to compute in float16.
    """
    model = onnx.load_from_string(raw)
    edited = Edited(model, frozenset(preprocessing) | frozenset(excluded))
    types = element_types(model)
    wiring = edited.wiring
    first = set(layers(model, preprocessing)) | {
        node.name for node in model.graph.node if is_standard(node, *_RECURRENT)
    }
    first = {node.name for node in edited.nodes() if node.name in first and _fits(node, wiring, types)}
    if not first:
        raise ConversionError(
            "half: expected a layer outside of preprocessing whose weights float16 holds, found none. "
            "Ship the model as it is."
        )
    chosen = first | _between(edited, first, types)
    writing = _Writing(edited, chosen, types)
    for node in list(model.graph.node):
        writing.add(node)
    return writing.finished()


def _fits(node: Any, wiring: Wiring, types: dict[str, int]) -> bool:
    """Whether a node gives float32 only, and float16 holds its constants of float32."""
    arrays = [array for name in node.input if is_float32(array := wiring.array(name))]
    if any(array is None or as_float16(array) is None for array in arrays):
        return False
    return all(types.get(name) == _FLOAT for name in node.output if name)


def _between(edited: Edited, first: Collection[str], types: dict[str, int]) -> set[str]:
    """Names of nodes that read what a layer made, perhaps indirectly, and that a layer reads in turn.

    A table of numbers that is looked up in, an embedding, begins float16 as a layer does.
    """
    nodes, wiring = list(edited.model.graph.node), edited.wiring
    made: set[str] = set()
    for node in nodes:
        if node.name in first or _looks_up(node, wiring) or not made.isdisjoint(node.input):
            made.update(node.output)
    read: set[str] = set()
    for node in reversed(nodes):
        if node.name in first or not read.isdisjoint(node.output):
            read.update(node.input)
    return {
        node.name
        for node in edited.nodes()
        if is_standard(node, *_BETWEEN)
        and (_looks_up(node, wiring) or not made.isdisjoint(node.input))
        and not read.isdisjoint(node.output)
        and _fits(node, wiring, types)
        and not _squares(node)
    }


def _looks_up(node: Any, wiring: Wiring) -> bool:
    return is_standard(node, "Gather") and is_float32(wiring.array(node.input[0]))


def _squares(node: Any) -> bool:
    return is_standard(node, "Mul") and node.input[0] == node.input[1]


class _Writing:
    """The graph written anew, node by node. halves: of float32 values their float16."""

    def __init__(self, edited: Edited, chosen: Collection[str], types: dict[str, int]) -> None:
        self._edited = edited
        self._wiring = edited.wiring  # as it was
        self._chosen = chosen
        self._types = types
        self._halves: dict[str, str] = {}
        self._nodes: list[Any] = []

    def add(self, node: Any) -> None:
        copied = onnx.NodeProto()
        copied.CopyFrom(node)
        if node.name not in self._chosen:
            if is_standard(node, *_ASK_SHAPES):  # whichever there is has it
                copied.input[0] = self._halves.get(node.input[0], node.input[0])
            self._nodes.append(copied)
            return
        copied.input[:] = [self._half(name) for name in node.input]
        made = [name for name in node.output if name]
        for name in made:
            self._halves[name] = self._edited.fresh(f"{name}_half")
        copied.output[:] = [self._halves.get(name, name) for name in node.output]
        self._nodes.append(copied)
        for name in made:
            if self._is_read_in_float32(name):
                self._cast(self._halves[name], name, _FLOAT)

    def finished(self) -> bytes:
        graph, model = self._edited.model.graph, self._edited.model
        graph.ClearField("node")
        graph.node.extend(self._nodes)
        self._edited.changed()
        self._edited.forget_unread()
        raw: bytes = model.SerializeToString(deterministic=True)
        onnx.checker.check_model(raw, full_check=True)
        return raw

    def _half(self, name: str) -> str:
        """The float16 of a float32 value; any other value as it is."""
        if not name or self._types.get(name) != _FLOAT:
            return name
        if name not in self._halves:
            array = self._wiring.array(name)
            if array is None:
                self._halves[name] = self._edited.fresh(f"{name}_half")
                self._cast(name, self._halves[name], _HALF)
            else:
                numbers = as_float16(array)
                assert numbers is not None  # or its node would not be chosen
                self._halves[name] = self._edited.constant(numbers, f"{name}_half")
        return self._halves[name]

    def _cast(self, given: str, made: str, dtype: int) -> None:
        name = self._edited.fresh(f"{made}_cast")
        self._nodes.append(helper.make_node("Cast", [given], [made], name=name, to=dtype))

    def _is_read_in_float32(self, name: str) -> bool:
        if name in self._wiring.outputs:
            return True
        return any(
            node.name not in self._chosen and not is_standard(node, *_ASK_SHAPES)
            for node in self._wiring.readers.get(name, ())
        )
