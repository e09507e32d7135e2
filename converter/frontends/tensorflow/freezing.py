"""A traced function as a graph in which everything trained is a constant."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.foreign import translated
from converter.frontends.tensorflow.library import load, quiet
from edge_runtime.errors import UnsupportedModelError

_PASSES_ON = {"Identity", "Reshape", "Squeeze", "Cast", "StopGradient", "PreventGradient"}
# TensorFlow's inliner leaves functions alone that are marked for XLA, which compiles them as a whole.
_XLA = ("_XlaMustCompile", "_xla_compile_id", "_noinline")
# Which inputs of an operator must be constants; TensorFlow computes them of the images' size.
_FOLDED = {"ScaleAndTranslate": (1, 2, 3), "ResizeBicubic": (1,)}


@dataclass(frozen=True)
class Lookup:
    """A lookup table: keys and the values they map to, both (n,)."""

    keys: NDArray[Any]
    values: NDArray[Any]


@dataclass(frozen=True)
class Frozen:
    """A model as TensorFlow's GraphDef. inputs, outputs: names of tensors.

    reads: places of the model's inputs that it reads; those are `inputs`. tables: lookup tables by the
        name of the node that stands for them. lasts: the operator that each output comes from, such as
        Softmax.
    """

    graph_def: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    reads: tuple[int, ...]
    tables: dict[str, Lookup]
    lasts: tuple[str, ...]


def freeze(function: Any, count: int) -> Frozen:
    """Freeze a concrete function of `count` tensors. Raises UnsupportedModelError."""
    library = load()
    tf = library.tf
    with translated("the model cannot be frozen by TensorFlow", UnsupportedModelError), quiet():
        frozen = library.freeze(function, lower_control_flow=False, aggressive_inlining=True)
        graph_def = frozen.graph.as_graph_def(add_shapes=True)
        # Behind them come the tables that it captures.
        given = [tensor.name for tensor in function.inputs[:count]]
        made = [tensor.name for tensor in frozen.outputs]
        _inlinable(graph_def)
        with tf.Graph().as_default():  # a meta graph is made of the default one
            tf.import_graph_def(graph_def, name="")
            graph_def = library.tf2onnx.tf_loader.tf_optimize(given, made, graph_def)
        reads = _read(graph_def, given)
        _fold(graph_def, [given[at] for at in reads])
        tables = _tables(function, graph_def)
        _shape_lookups(graph_def)
    lasts = tuple(_last(graph_def, name) for name in made)
    return Frozen(graph_def, tuple(given[at] for at in reads), tuple(made), reads, tables, lasts)


def _read(graph_def: Any, given: list[str]) -> tuple[int, ...]:
    """The places of the inputs that nodes of the graph, or its outputs, still read."""
    read = {name.partition(":")[0].lstrip("^") for node in graph_def.node for name in node.input}
    return tuple(at for at, name in enumerate(given) if name.partition(":")[0] in read)


def _inlinable(graph_def: Any) -> None:
    """Let functions that are marked for XLA, such as convolutions of groups, be inlined."""
    for holder in (*graph_def.node, *graph_def.library.function):
        for mark in _XLA:
            if mark in holder.attr:
                del holder.attr[mark]
    for function in graph_def.library.function:
        for node in function.node_def:
            for mark in _XLA:
                if mark in node.attr:
                    del node.attr[mark]


def _fold(graph_def: Any, given: list[str]) -> None:
    """Make constants of sizes and scales that are computed, of nothing but an image's size."""
    tf = load().tf
    wanted = {
        (node.name, at): node.input[at] for node in graph_def.node for at in _FOLDED.get(node.op, ())
    }
    if not wanted:
        return
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        tf.import_graph_def(graph_def, name="")
        found = session.run(
            {name: name if ":" in name else f"{name}:0" for name in wanted.values()},
            {name: _zeros(graph.get_tensor_by_name(name)) for name in given},
        )
    nodes = {node.name: node for node in graph_def.node}
    for (name, at), value in wanted.items():
        constant = graph_def.node.add(name=f"{name}/folded_{at}", op="Const")
        constant.attr["dtype"].type = tf.as_dtype(found[value].dtype).as_datatype_enum
        constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(found[value]))
        nodes[name].input[at] = constant.name


def _zeros(tensor: Any) -> NDArray[Any]:
    """One input of nothing."""
    shape = [1 if size is None else size for size in tensor.shape]
    return np.zeros(shape, tensor.dtype.as_numpy_dtype)


def _tables(function: Any, graph_def: Any) -> dict[str, Lookup]:
    """The contents of the tables that the graph looks up in."""
    tf = load().tf
    captured = {inner.op.name: outer for outer, inner in function.graph.captures}
    found = {}
    for node in graph_def.node:
        if node.op != "LookupTableFindV2" or node.input[0] not in captured:
            continue
        keys, values = tf.raw_ops.LookupTableExportV2(
            table_handle=captured[node.input[0]],
            Tkeys=node.attr["Tin"].type,
            Tvalues=node.attr["Tout"].type,
        )
        found[node.input[0]] = Lookup(_array(keys), _array(values))
    return found


def _shape_lookups(graph_def: Any) -> None:
    """Say of what is looked up that it has the shape of the keys: TensorFlow's graphs do not."""
    tf = load().tf
    lookups = [node for node in graph_def.node if node.op == "LookupTableFindV2"]
    if not lookups:
        return
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    for node in lookups:
        keys = node.input[1]
        shape = graph.get_tensor_by_name(keys if ":" in keys else f"{keys}:0").shape
        for reader in graph_def.node:
            reader.input[:] = [f"{name}/shaped" if name == node.name else name for name in reader.input]
        shaped = graph_def.node.add(name=f"{node.name}/shaped", op="EnsureShape", input=[node.name])
        shaped.attr["T"].type = node.attr["Tout"].type
        shaped.attr["shape"].shape.CopyFrom(shape.as_proto())


def _array(tensor: Any) -> NDArray[Any]:
    array: NDArray[Any] = tensor.numpy()
    if array.dtype.kind == "O":
        array = np.array([text.decode() for text in array.tolist()], dtype=object)
    return array


def _last(graph_def: Any, output: str) -> str:
    """The operator whose numbers the output has, however they are reshaped on the way."""
    nodes = {node.name: node for node in graph_def.node}
    node = nodes[output.partition(":")[0]]
    while node.op in _PASSES_ON:
        node = nodes[node.input[0].partition(":")[0]]
    return str(node.op)
