"""A frozen model in ONNX: translated by tf2onnx, checked for operators it left, named anew.

tf2onnx and Keras count names through the life of a process. Here every node and value is named after
its place in the graph, walked from the output, so the same model gives the same bytes in any process.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import onnx

from converter.foreign import translated
from converter.frontends.tensorflow.freezing import Frozen
from converter.frontends.tensorflow.handlers import handlers, rewriters
from converter.frontends.tensorflow.library import load, quiet
from converter.graph import ML, OPSETS
from edge_runtime.errors import UnsupportedModelError


def translate(frozen: Frozen) -> Any:
    """An `onnx.ModelProto` of one input and one output in the converter's operator sets.

    Raises UnsupportedModelError, naming the layer and the operator, where no translation exists.
    """
    library = load()
    with translated("the model has no translation", UnsupportedModelError), quiet():
        with library.tf.Graph().as_default() as graph:
            library.tf.import_graph_def(frozen.graph_def, name="")
            made = library.tf2onnx.tfonnx.process_tf_graph(
                graph,
                opset=OPSETS[""],
                extra_opset=[onnx.helper.make_opsetid(ML, OPSETS[ML])],
                custom_op_handlers=handlers(frozen.tables),
                custom_rewriter=rewriters(),
                input_names=[frozen.input],
                output_names=[frozen.output],
            )
        # Catching its errors, the optimizer copies all weights before each of its passes.
        made = library.tf2onnx.optimizer.optimize_graph(made, catch_errors=False)
        model = made.make_model("model")
    _check_operators(model.graph.node)
    return named_by_place(model)


def _check_operators(nodes: Iterable[Any]) -> None:
    for node in _all(nodes):
        if not onnx.defs.has(node.op_type, node.domain) or node.domain not in OPSETS:
            raise UnsupportedModelError(
                f"layer {_layer(node.name)!r}: TensorFlow's operator {node.op_type} has no translation "
                "into ONNX. Leave the layer out, or do what it does before or after the model."
            )


def _all(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _all(inner.node)


def _layer(name: str) -> str:
    """The Keras layer in a node's name, which is model/layer/…/operator."""
    scopes = name.split("/")[:-1]
    return "/".join(scopes[1:] or scopes) or name


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
            copied = onnx.NodeProto()
            copied.CopyFrom(node)
            order.append(copied)
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
