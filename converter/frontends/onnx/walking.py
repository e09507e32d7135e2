"""Every node and tensor of an ONNX model, those of graphs inside nodes and of functions included."""

from collections.abc import Iterable, Iterator
from typing import Any

# They hand numbers on as they are, perhaps in another shape or dtype.
HAND_ON = {"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}


def graphs_in(node: Any) -> Iterator[Any]:
    """The graphs that a node holds: branches and bodies."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def nodes_of(nodes: Iterable[Any]) -> Iterator[Any]:
    """Nodes, and those of the graphs inside them."""
    for node in nodes:
        yield node
        for inner in graphs_in(node):
            yield from nodes_of(inner.node)


def graphs_of(graph: Any) -> Iterator[Any]:
    """A graph, and those inside its nodes."""
    yield graph
    for node in graph.node:
        for inner in graphs_in(node):
            yield from graphs_of(inner)


def tensors_of(model: Any) -> Iterator[Any]:
    """Every tensor that a model holds, in initializers and in attributes."""
    for graph in graphs_of(model.graph):
        yield from graph.initializer
        for each in graph.sparse_initializer:
            yield from (each.values, each.indices)
        yield from _of_nodes(graph.node)
    for function in model.functions:
        yield from _of_nodes(nodes_of(function.node))


def _of_nodes(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            sparse = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
            for each in (*sparse, *attribute.sparse_tensors):
                yield from (each.values, each.indices)
