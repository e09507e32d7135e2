"""A graph in float64 made one in float32, without moving a comparison that float32 can decide.

TensorRT has no float64. Every float64 tensor becomes float32, and the casts between the two disappear.
Constants are rounded to the nearest float32, except where a float32 number is compared with one: no
float32 lies between a float64 threshold and its neighbour on the side that keeps the answer, so `x <= t`
rounds t down, `x < t` up, and `x == t` is never true of a t that float32 lacks.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, shape_inference

from edge_runtime.errors import UnsupportedModelError

_DOUBLE, _FLOAT = TensorProto.DOUBLE, TensorProto.FLOAT
_F32 = np.finfo(np.float32)
# Whole numbers of these dtypes may have more digits than float32.
_LONG = {TensorProto.INT32, TensorProto.INT64, TensorProto.UINT32, TensorProto.UINT64}
# They hand numbers on as they are.
_MOVES = {
    "Concat", "Expand", "Gather", "GatherElements", "Identity", "Max", "Min", "ReduceMax", "ReduceMin",
    "Reshape", "Slice", "Split", "Squeeze", "Tile", "TopK", "Transpose", "Unsqueeze", "Where",
}  # fmt: skip
# How a constant on the right rounds so that the comparison stays the same; one on the left rounds the
# other way.
_COMPARES = {"LessOrEqual": "down", "Greater": "down", "Less": "up", "GreaterOrEqual": "up",
             "Equal": "equal"}  # fmt: skip
_MIRRORED = {"down": "up", "up": "down", "equal": "equal"}


def narrow(model: Any) -> frozenset[str]:
    """Change a model in place; returns the values that may now differ by more than it says above.

    Float64 inputs differ, but not what the source itself rounds to float32. Raises
    UnsupportedModelError for a model with graphs inside its nodes.
    """
    facts = _Facts(model)
    nodes = [_copy(node) for node in model.graph.node]
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    tensors.update(_thresholds(nodes, facts))
    for node in nodes:
        _narrow_node(node, facts)
    nodes = [*_casts_of_inputs(model, nodes), *nodes]
    finals = [value.name for value in model.graph.output]
    nodes = list(_without_identities(nodes, finals))
    read = {name for node in nodes for name in node.input} | set(finals)
    kept = [_narrowed(tensor) for tensor in tensors.values() if tensor.name in read]
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    model.graph.ClearField("initializer")
    model.graph.initializer.extend(kept)
    for value in model.graph.output:
        if value.type.tensor_type.elem_type == _DOUBLE:
            value.type.tensor_type.elem_type = _FLOAT
    return frozenset(facts.changed | facts.given)


def rounded(values: NDArray[Any], way: str = "nearest") -> NDArray[np.float32]:
    """float64 numbers as float32: the `nearest`, the next `down` or `up`, or the `equal` one, else NaN.

    The nearest of a finite number is finite, and 0 of 0 only: what keeps a logarithm from 0, or is
    larger than anything, stays that.
    """
    exact = np.asarray(values, np.float64)
    with np.errstate(over="ignore", under="ignore"):
        near = exact.astype(np.float32)
    wide = near.astype(np.float64)
    if way == "equal":
        return np.where(wide == exact, near, np.float32(np.nan))
    if way == "down":
        return np.where(wide > exact, np.nextafter(near, np.float32(-np.inf)), near)
    if way == "up":
        return np.where(wide < exact, np.nextafter(near, np.float32(np.inf)), near)
    lost = (np.abs(wide) < _F32.smallest_normal) & (exact != 0)
    near = np.where(lost, np.copysign(_F32.smallest_normal, near), near)
    return np.where(np.isinf(wide) & np.isfinite(exact), np.copysign(_F32.max, near), near)


class _Facts:
    """What is known of a float64 model's values before anything is changed.

    types: the element type of each. constants: the tensors of those.
    short: float64 values that are float32 numbers.
    long: whole numbers of the inputs, which may be larger than float32 holds; those that are made of
        texts, choices and conditions are not.
    given: float64 inputs, and long ones in float64, as they are and moved about: the source may round
        them to float32 itself.
    changed: see `narrow`.
    """

    def __init__(self, model: Any) -> None:
        self.types = element_types(model)
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.short: set[str] = set()
        inputs = {value.name for value in model.graph.input}
        self.given = {name for name in inputs if self.is_double(name)}
        self.long = {name for name in inputs if self.types[name] in _LONG}
        self.changed: set[str] = set()
        for name, tensor in self.constants.items():
            if tensor.data_type == _DOUBLE:
                exact = numpy_helper.to_array(tensor)
                same = np.array_equal(rounded(exact), exact, equal_nan=True)
                (self.short if same else self.changed).add(name)
        for node in model.graph.node:
            self._follow(node)

    def is_double(self, name: str) -> bool:
        return bool(self.types.get(name) == _DOUBLE)

    def decided(self, node: Any) -> tuple[int, str] | None:
        """Where a constant is compared with a float32 number: which operand it is, and its rounding."""
        way = _COMPARES.get(node.op_type)
        if way is None or not self.is_double(node.input[0]):
            return None
        for at, other in ((1, 0), (0, 1)):
            if node.input[at] in self.constants and node.input[other] in self.short:
                return at, way if at == 1 else _MIRRORED[way]
        return None

    def _follow(self, node: Any) -> None:
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise UnsupportedModelError(
                f"the operator {node.op_type} holds graphs of its own, which have no form in standard "
                "operators that every board takes."
            )
        read = [name for name in node.input if name]
        doubles = [name for name in node.output if self.is_double(name)]
        wide = [name for name in read if self.is_double(name)]
        is_cast = node.op_type == "Cast"
        is_long = not self.long.isdisjoint(read)
        if is_long:
            self.long.update(name for name in node.output if self.types.get(name) in _LONG)
        if (place := self.decided(node)) is not None:
            read.pop(place[0])
        elif is_cast and is_long:
            self.given.update(doubles)
        elif (is_cast and not wide) or (node.op_type in _MOVES and self.short.issuperset(wide)):
            self.short.update(doubles)
        elif node.op_type in _MOVES and (self.short | self.given).issuperset(wide):
            self.given.update(doubles)
        elif doubles or not (is_cast or self.given.isdisjoint(wide)):
            self.changed.update(node.output)
        if not self.changed.isdisjoint(read):
            self.changed.update(node.output)


def element_types(model: Any) -> dict[str, int]:
    """The element type of every value and constant of a model, by name, as far as it can be inferred."""
    graph = shape_inference.infer_shapes(model).graph
    found = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        found[value.name] = value.type.tensor_type.elem_type
    return found


def _thresholds(nodes: Iterable[Any], facts: _Facts) -> dict[str, Any]:
    """The constants that decide comparisons, rounded the right way; the nodes are made to read them."""
    made = {}
    for node in nodes:
        if (place := facts.decided(node)) is None:
            continue
        at, way = place
        name = f"{node.input[at]}_{way}"
        exact = numpy_helper.to_array(facts.constants[node.input[at]])
        made[name] = numpy_helper.from_array(rounded(exact, way), name)
        node.input[at] = name
    return made


def _narrow_node(node: Any, facts: _Facts) -> None:
    """float32 in place of float64 in a node's attributes; a cast between the two is an Identity."""
    for attribute in node.attribute:
        if attribute.name == "to" and attribute.i == _DOUBLE:
            attribute.i = _FLOAT
        if attribute.HasField("t"):
            attribute.t.CopyFrom(_narrowed(attribute.t))
    is_cast = node.op_type == "Cast" and facts.types.get(node.input[0]) in (_FLOAT, _DOUBLE)
    if is_cast and node.attribute[0].i == _FLOAT:
        node.op_type = "Identity"
        node.ClearField("attribute")


def _casts_of_inputs(model: Any, nodes: Iterable[Any]) -> Iterator[Any]:
    """Casts of float64 inputs to float32; the nodes are made to read those."""
    given = {value.name for value in model.graph.input if value.type.tensor_type.elem_type == _DOUBLE}
    for node in nodes:
        node.input[:] = [f"{name}_float32" if name in given else name for name in node.input]
    for name in sorted(given):
        yield helper.make_node("Cast", [name], [f"{name}_float32"], name=f"node_{name}", to=_FLOAT)


def _without_identities(nodes: Iterable[Any], finals: Iterable[str]) -> Iterator[Any]:
    """The nodes that do something; an output of the graph keeps its name."""
    same: dict[str, str] = {}
    for node in nodes:
        node.input[:] = [same.get(name, name) for name in node.input]
        if node.op_type == "Identity" and node.output[0] not in finals:
            same[node.output[0]] = node.input[0]
        else:
            yield node


def _narrowed(tensor: Any) -> Any:
    if tensor.data_type != _DOUBLE:
        return _copy(tensor)
    return numpy_helper.from_array(rounded(numpy_helper.to_array(tensor)), tensor.name)


def _copy(message: Any) -> Any:
    copied = type(message)()
    copied.CopyFrom(message)
    return copied


def opsets_used(model: Any) -> None:
    """Forget the operator sets that no node is of."""
    used = {node.domain for node in model.graph.node} | {""}
    kept = [_copy(each) for each in model.opset_import if each.domain in used]
    model.ClearField("opset_import")
    model.opset_import.extend(kept)
