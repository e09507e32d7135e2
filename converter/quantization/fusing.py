"""A float32 graph with fewer numbers to round: what follows a layer becomes part of its weights.

Batch normalization arrives from Keras as a Mul and an Add. Left alone, each is a step in float between
two quantized layers. Nodes keep their names, so what was known by name before is known after;
onnxruntime's offline optimization renames them, adds operator sets, and folds across the end of the
preprocessing.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import shape_inference

from converter.quantization import normalization, padding, squeezing
from converter.quantization.editing import Edited
from converter.quantization.running import Feed, answers
from converter.quantization.wiring import attributes, is_float32, is_standard

# Of a graph's largest number: what another order of the same sums may change.
_CLOSE = 1e-4


def fused(raw: bytes, preprocessing: Collection[str] = frozenset(), feeds: Sequence[Feed] = ()) -> bytes:
    """The same function in fewer nodes, for quantization; the same bytes in any process.

    raw: an ONNX file. preprocessing: names of nodes that are left as they are. feeds: calibration data.
    Where there is nothing to fuse, or an output of float32 differs on the first batch by more than
    rounding, `raw` comes back. Operator sets and IR version stay.
    """
    edited = Edited(onnx.load_from_string(raw), preprocessing)
    ranks = _ranks(edited.model)
    first = [_fold_constants(edited), _name_rectifiers(edited)]
    steps = (
        padding.joined,
        squeezing.sunk,
        squeezing.cancelled,
        normalization.folded,
        normalization.made_gemm,
    )
    count = 0
    while any(step(edited, ranks) for step in steps):
        count += 1
    edited.forget_unread()
    if not (count or any(first)) or not _agree(raw, edited.model, feeds[:1]):
        return raw
    made: bytes = edited.model.SerializeToString(deterministic=True)
    return made


def _ranks(model: Any) -> dict[str, int]:
    """How many axes each value has, as far as that can be inferred."""
    graph = shape_inference.infer_shapes(model, data_prop=True).graph
    return {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in (*graph.input, *graph.value_info, *graph.output)
        if value.type.tensor_type.HasField("shape")
    } | {tensor.name: len(tensor.dims) for tensor in graph.initializer}


def _fold_constants(edited: Edited) -> bool:
    """An Identity or a Transpose of a constant is a constant; whether there was one."""
    count = 0
    for node in edited.nodes():
        if not is_standard(node, "Identity", "Transpose") or node.output[0] in edited.wiring.outputs:
            continue
        array = edited.wiring.array(node.input[0])
        if array is not None:
            if node.op_type == "Transpose":
                array = array.transpose(attributes(node).get("perm"))
            edited.replace_by_constant(node, array)
            count += 1
    return count > 0


def _name_rectifiers(edited: Edited) -> bool:
    """The larger of a number and 0, as scikit-learn computes it, is a Relu; whether there was one."""
    count = 0
    for node in edited.nodes():
        arrays = [edited.wiring.array(name) for name in node.input]
        if is_standard(node, "Max") and len(arrays) == 2:
            zeros = [at for at, array in enumerate(arrays) if array is not None and array.shape == ()]
            if len(zeros) == 1 and arrays[zeros[0]] == 0 and is_float32(arrays[zeros[0]]):
                node.op_type = "Relu"
                node.input[:] = [node.input[1 - zeros[0]]]
                count += 1
    edited.changed()
    return count > 0


def _agree(raw: bytes, model: Any, feeds: Sequence[Feed]) -> bool:
    original = onnx.load_from_string(raw)
    kinds = {value.name: value.type.tensor_type.elem_type for value in original.graph.output}
    floats = [name for name, kind in kinds.items() if kind == onnx.TensorProto.FLOAT]
    asked = floats or list(kinds)  # some models give labels and nothing else
    pairs = zip(answers(original, asked, feeds), answers(model, asked, feeds), strict=True)
    return all(
        np.allclose(
            found[name], own, rtol=0, atol=_CLOSE * np.nanmax(np.abs(own), initial=1), equal_nan=True
        )
        for expected, found in pairs
        for name, own in expected.items()
    )
