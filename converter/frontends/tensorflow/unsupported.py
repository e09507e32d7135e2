"""What a model does that no bundle can do after it, told by its frozen graph before any work is done."""

from collections.abc import Iterator
from typing import Any

from converter.frontends.tensorflow.library import load
from edge_runtime.errors import UnsupportedModelError

# Which attributes of an operator are dtypes of what it computes.
_DTYPES = ("T", "dtype", "DstT", "SrcT")
_LOOKUP = "LookupTableFindV2"


def check(graph_def: Any) -> None:
    """Raises UnsupportedModelError, naming the layer, for numbers of 16 bits and for lookups that end a
    run where a key is not in their table."""
    for node in _nodes(graph_def):
        _check_precision(node)
    for node in graph_def.node:
        if node.op == "Assert":
            _check_lookup(graph_def, node)


def _nodes(graph_def: Any) -> Iterator[Any]:
    """Those of the bodies of loops and branches too."""
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def _check_precision(node: Any) -> None:
    """Numbers of 16 bits round so coarsely, and in each library otherwise, that no parity is left."""
    tf = load().tf
    names = {tf.float16.as_datatype_enum: "float16", tf.bfloat16.as_datatype_enum: "bfloat16"}
    for attribute in _DTYPES:
        found = names.get(node.attr[attribute].type) if attribute in node.attr else None
        if found is not None:
            raise UnsupportedModelError(
                f"{_where(node)}: expected numbers of float32, found {found}, as of a mixed-precision "
                "policy. Build the model anew under keras.config.set_dtype_policy('float32'), give it "
                "these weights with set_weights, and convert that."
            )


def _check_lookup(graph_def: Any, check: Any) -> None:
    """An error is raised for a key that is not in the table, which no graph can.

    Other assertions are about the model and its shapes, and parity shows that they hold.
    """
    nodes = {node.name: node for node in graph_def.node}
    waiting, seen = list(check.input), set()
    while waiting:
        name = waiting.pop().lstrip("^").partition(":")[0]
        if name in seen or (node := nodes.get(name)) is None:
            continue
        seen.add(name)
        if node.op == _LOOKUP:
            raise UnsupportedModelError(
                f"{_where(node)}: expected a lookup that has an answer to every value, found one with "
                "num_oov_indices=0, which raises an error for a value that is not in its vocabulary. "
                "Build it with num_oov_indices=1."
            )
        waiting.extend(node.input)


def _where(node: Any) -> str:
    """The layer in a node's name, which is model/layer/…/operator; without one the operator."""
    scopes = node.name.split("/")
    return f"layer {scopes[1]!r}" if len(scopes) > 2 else f"operator {node.op}"
