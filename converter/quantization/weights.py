"""Weights in fewer bytes: stored as float16 or codes, and made float32 again when the model is loaded.

The graph computes in float32 as before. What depends on constants only, ONNX Runtime computes when it
loads a graph and TensorRT when it builds a plan: a variant made here is as fast as the one it was made
of, and only its file is smaller.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from converter.quantization.codes import RESTORING, Engine, Restoring, as_float16, symmetric
from converter.quantization.tables import LEVELS, Kind, is_table, restored_tables
from converter.quantization.wiring import Wiring, attributes, wired
from edge_runtime.errors import ConversionError

_FLOATS = {TensorProto.FLOAT, TensorProto.DOUBLE}
_WHOLE = {TensorProto.INT32, TensorProto.INT64}
# What is compared with must stay the number it is.
_COMPARE = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"}
_RECURRENT = {"GRU", "LSTM", "RNN"}


def stored(
    raw: bytes,
    kind: Kind,
    preprocessing: Collection[str] = frozenset(),
    engine: Engine = "onnxruntime",
) -> bytes:
    """The same ONNX graph, its larger constants stored as `kind`; every value keeps its dtype.

    kind: "fp16" rounds to float16; "int8" and "int16" to that many evenly spaced levels, with a scale
        for each output of a layer, each row of an embedding and each feature that trees compare. Trees
        are those of a `StandardGraph`. Whole numbers are never rounded, nor what is compared with.
    preprocessing: names of nodes whose constants stay as they are.
    engine: what the graph is for. ONNX Runtime runs that for TensorRT as well, but takes more memory to
        load it.

    A constant changes only where the file becomes smaller, and float16 holds it. The bytes depend on
    what is given only. Raises ConversionError where no constant changes.
    """
    model = onnx.load_from_string(raw)
    wiring = wired(model)
    kept = {name for node in model.graph.node if node.name in preprocessing for name in node.input}
    open_to_it = {name: tensor for name, tensor in wiring.constants.items() if name not in kept}
    made = [
        each
        for each in (
            *restored_tables(open_to_it, kind, RESTORING[engine]),
            *_each_alone(open_to_it, kind, RESTORING[engine], wiring),
        )
        if each.size_bytes < sum(open_to_it[name].ByteSize() for name in each.restored)
    ]
    if not made:
        raise ConversionError(
            f"weights: expected a constant that takes fewer bytes as {kind}, found none outside of "
            "preprocessing. Ship the model as it is."
        )
    gone = {name for each in made for name in each.restored}
    tensors = [tensor for name, tensor in wiring.constants.items() if name not in gone]
    tensors += [tensor for each in made for tensor in each.tensors]
    return _rebuilt(model, [node for each in made for node in each.nodes], tensors)


def _rebuilt(model: Any, first: list[Any], tensors: list[Any]) -> bytes:
    """The model with `first` in front of its nodes and these constants in place of its own."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    made.graph.ClearField("initializer")
    made.graph.initializer.extend(tensors)
    made.graph.ClearField("node")
    made.graph.node.extend([*first, *model.graph.node])
    raw: bytes = made.SerializeToString(deterministic=True)
    onnx.checker.check_model(raw, full_check=True)
    return raw


def _each_alone(
    constants: Mapping[str, Any], kind: Kind, restoring: type[Restoring], wiring: Wiring
) -> Iterator[Restoring]:
    """What makes each constant again that is no table of trees and may change."""
    for name, tensor in constants.items():
        readers = wiring.readers.get(name, ())
        if is_table(name) or not readers:
            continue
        made = restoring(name)
        array = numpy_helper.to_array(tensor)
        value = None
        if tensor.data_type in _WHOLE and array.min(initial=0) >= 0:
            value = made.whole(array, tensor.data_type)
        elif tensor.data_type in _FLOATS and not any(node.op_type in _COMPARE for node in readers):
            value = _float(made, array, kind, _shared_axes(readers[0], name, array.ndim))
        if value is not None:
            made.finish(value, name)
            yield made


def _float(made: Restoring, array: NDArray[Any], kind: Kind, shared: tuple[int, ...]) -> str | None:
    """shared: the axes along which one scale serves; none for what is added, such as a bias."""
    if kind != "fp16" and shared and np.isfinite(array).all():
        return made.scaled(*symmetric(array, LEVELS[kind], shared))
    if kind == "int16":
        return None
    half = as_float16(array)
    if half is None:
        return None
    return made.node("Cast", made.constant(half), to=onnx.helper.np_dtype_to_tensor_dtype(array.dtype))


def _shared_axes(node: Any, name: str, rank: int) -> tuple[int, ...]:
    """The axes of a constant along which its reader adds up: those that have no scale of their own.

    () for what has less than two axes and for biases.
    """
    if rank < 2:
        return ()
    axes = tuple(range(rank))
    place = list(node.input).index(name) if name in node.input else 0
    match node.op_type:
        case "MatMul":
            return (rank - 2,) if place else (rank - 1,)
        case "Gemm":
            flipped = attributes(node).get("transB" if place else "transA", 0)
            return () if place == 2 else ((1,) if bool(flipped) == bool(place) else (0,))
        case "Conv" | "Gather":
            return axes[1:]
        case "ConvTranspose":
            return (0, *axes[2:])
        case operator if operator in _RECURRENT:
            return (2,) if place in (1, 2) else ()
        case _:
            return axes[:-1]
