"""A graph of another library made the same in every process.

tf2onnx and Keras count names through the life of a process, and tf2onnx goes through sets, whose order
is another one each time; names in a file may be anything. Here values that are only handed on are one
value, and every node and value is named after its place in the graph, walked from the outputs.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

import onnx
from onnx import helper


def named_by_place(model: Any) -> Any:
    """The same model, its nodes in the order of a walk from the output, and named by it."""
    found = onnx.ModelProto()
    found.CopyFrom(model)
    _Naming().rename(found.graph, {})
    return found


class _Naming:
    """Names by counting, through a graph and the graphs inside its nodes."""

    def __init__(self) -> None:
        self._count = 0

    def rename(self, graph: Any, outer: dict[str, str]) -> None:
        """outer: the names, old and new, of what is known around the graph."""
        known = dict(outer)
        _hand_on(graph, outer)
        graph.name = self._new("graph")
        for value in (*graph.input, *graph.output):
            _forget_sizes(value)
        for value in graph.input:
            known[value.name] = value.name = self._new("input")
        nodes = _walk(graph)
        read = [name for node in nodes for name in (*node.input, *_captured(node))]
        read += [value.name for value in graph.output]
        constants = self._constants(graph, read)
        known |= {old: tensor.name for old, tensor in constants.items()}
        for node in nodes:
            self._rename_node(node, known)
        for value in graph.output:
            value.name = known[value.name]
        for field, messages in (
            ("node", nodes),
            ("initializer", list(constants.values())),
            ("value_info", []),
        ):
            graph.ClearField(field)
            getattr(graph, field).extend(messages)

    def _constants(self, graph: Any, read: Iterable[str]) -> dict[str, Any]:
        """Copies of the constants that are read, by their old names, in the order they are read in."""
        tensors = {tensor.name: tensor for tensor in graph.initializer}
        found = {}
        for name in dict.fromkeys(read):
            if name in tensors:
                found[name] = onnx.TensorProto()
                found[name].CopyFrom(tensors[name])
                found[name].name = self._new("constant")
        return found

    def _rename_node(self, node: Any, known: dict[str, str]) -> None:
        node.name = self._new("node")
        node.input[:] = [known[name] if name else "" for name in node.input]
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.output:
                    self.rename(inner, known)
        for at, name in enumerate(node.output):
            if name:
                known[name] = node.output[at] = self._new("value")

    def _new(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"


def _hand_on(graph: Any, outer: Collection[str]) -> None:
    """Take out Identity nodes; of outputs that are the same value all but the first get one.

    In a graph inside a node, where `outer` is around it, only those of values that its nodes make: ONNX
    Runtime overwrites an input that is handed on as it is (seen with Scan), and takes no other value as
    an output.
    """
    same: dict[str, str] = {}
    kept = []
    made = {name for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type == "Identity" and (not outer or node.input[0] in made):
            same[node.output[0]] = same.get(node.input[0], node.input[0])
        else:
            kept.append(node)
    _replace(kept, same)
    seen: Counter[str] = Counter()
    for at, value in enumerate(graph.output):
        source = same.get(value.name, value.name)
        seen[source] += 1
        if seen[source] > 1:
            value.name = f"{source}/again_{at}"
            kept.append(helper.make_node("Identity", [source], [value.name]))
        else:
            value.name = source
    copied = [_copy(node) for node in kept]
    graph.ClearField("node")
    graph.node.extend(copied)


def _replace(nodes: Iterable[Any], same: dict[str, str]) -> None:
    """Read other values in place of those in `same`, in graphs inside nodes too."""
    for node in nodes:
        node.input[:] = [same.get(name, name) for name in node.input]
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                _replace(inner.node, same)
                for value in inner.output:
                    value.name = same.get(value.name, value.name)


def _copy(node: Any) -> Any:
    copied = onnx.NodeProto()
    copied.CopyFrom(node)
    return copied


def _forget_sizes(value: Any) -> None:
    """Sizes that are not known have counted names, too."""
    for size in value.type.tensor_type.shape.dim:
        size.ClearField("dim_param")


def _walk(graph: Any) -> list[Any]:
    """Copies of the nodes that outputs depend on, each behind what it reads."""
    makers = {name: node for node in graph.node for name in node.output if name}
    order: list[Any] = []
    done: set[int] = set()
    waiting = [(value.name, False) for value in reversed(graph.output)]
    while waiting:
        name, is_read = waiting.pop()
        node = makers.get(name)
        if node is None or id(node) in done:
            continue
        if is_read:
            done.add(id(node))
            order.append(_copy(node))
            continue
        waiting.append((name, True))
        waiting.extend((each, False) for each in reversed([*node.input, *_captured(node)]))
    return order


def _captured(node: Any) -> list[str]:
    """What graphs inside a node read from around it, in order."""
    found: list[str] = []
    for attribute in node.attribute:
        for inner in (attribute.g, *attribute.graphs):
            own = {value.name for value in inner.input} | {each.name for each in inner.initializer}
            own.update(name for each in inner.node for name in each.output)
            for each in inner.node:
                found += [name for name in (*each.input, *_captured(each)) if name and name not in own]
            found += [value.name for value in inner.output if value.name not in own]
    return found
