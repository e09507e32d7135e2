"""Multiplications and additions behind a layer, as those of batch normalization, become its weights."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.quantization.editing import Edited
from converter.quantization.layers import weight_axis
from converter.quantization.wiring import attributes, is_float32, is_standard

_LAYERS = ("Conv", "ConvTranspose", "MatMul", "Gemm")


def folded(edited: Edited, _ranks: dict[str, int]) -> bool:
    """Fold one BatchNormalization, Mul or Add into the layer in front of it; whether there was one."""
    for layer in edited.nodes():
        if not is_standard(layer, *_LAYERS) or not _has_outputs(edited, layer):
            continue
        node = edited.only_reader(layer.output[0])
        if node is not None and _fold(edited, layer, node):
            return True
        # Multiplied by what is positive, whatever a Relu leaves can be multiplied in front of it.
        if node is not None and is_standard(node, "Relu"):
            scaling = edited.only_reader(node.output[0])
            if scaling is not None and _fold_scale(edited, layer, scaling):
                return True
    return False


def made_gemm(edited: Edited, ranks: dict[str, int]) -> bool:
    """Make one MatMul of rows and the Add behind it a Gemm, which has its bias within."""
    for layer in edited.nodes():
        if not is_standard(layer, "MatMul") or ranks.get(layer.input[0]) != 2:
            continue
        node = edited.only_reader(layer.output[0])
        weight = edited.wiring.array(layer.input[1])
        if node is None or not is_standard(node, "Add") or not is_float32(weight) or weight is None:
            continue
        bias = _per_output(edited, layer, node, weight.shape[1]) if weight.ndim == 2 else None
        if bias is not None:
            layer.op_type = "Gemm"
            layer.input.append(edited.constant(bias, f"{node.output[0]}_bias"))
            _drop(edited, layer, node)
            return True
    return False


def _fold(edited: Edited, layer: Any, node: Any) -> bool:
    """Fold what directly follows a layer; whether it could be."""
    if is_standard(node, "BatchNormalization"):
        return _fold_normalization(edited, layer, node)
    if is_standard(node, "Add"):
        offset = _per_output(edited, layer, node, _count(edited, layer))
        if offset is None or layer.op_type == "MatMul" or not _takes_offset(edited, layer):
            return False
        _change(edited, layer, np.ones_like(offset), offset)
        _drop(edited, layer, node)
        return True
    return _fold_scale(edited, layer, node, any_sign=True)


def _fold_scale(edited: Edited, layer: Any, node: Any, *, any_sign: bool = False) -> bool:
    """Fold a Mul that follows a layer, or the Relu behind it."""
    if not is_standard(node, "Mul") or not _takes_offset(edited, layer):
        return False
    scale = _per_output(edited, layer, node, _count(edited, layer))
    if scale is None or not (any_sign or (scale > 0).all()):
        return False
    _change(edited, layer, scale, np.zeros_like(scale))
    before = node.input[0] if node.input[0] not in edited.wiring.constants else node.input[1]
    _drop(edited, edited.wiring.makers[before], node)
    return True


def _fold_normalization(edited: Edited, layer: Any, node: Any) -> bool:
    arrays = [edited.wiring.array(name) for name in node.input[1:]]
    if layer.op_type not in ("Conv", "ConvTranspose") or not _takes_offset(edited, layer):
        return False
    if attributes(node).get("training_mode", 0) or not all(is_float32(array) for array in arrays):
        return False
    gamma, beta, mean, variance = (np.asarray(array, np.float64) for array in arrays)
    scale = gamma / np.sqrt(variance + attributes(node).get("epsilon", 1e-5))
    _change(edited, layer, scale, beta - mean * scale)
    _drop(edited, layer, node)
    return True


def _has_outputs(edited: Edited, layer: Any) -> bool:
    """Whether a layer's weight is a constant of float32 with an axis for its outputs."""
    weight = edited.wiring.array(layer.input[1])
    if weight is None or not is_float32(weight):
        return False
    return weight.ndim == 2 if layer.op_type in ("MatMul", "Gemm") else weight.ndim > 2


def _takes_offset(edited: Edited, layer: Any) -> bool:
    """Whether a layer's weights and bias are constants whose outputs lie along one axis."""
    given = attributes(layer)
    if layer.op_type == "ConvTranspose" and given.get("group", 1) != 1:
        return False
    if layer.op_type == "Gemm" and (given.get("alpha", 1.0), given.get("beta", 1.0)) != (1.0, 1.0):
        return False
    return len(layer.input) < 3 or not layer.input[2] or layer.input[2] in edited.wiring.constants


def _count(edited: Edited, layer: Any) -> int:
    """How many outputs a layer has."""
    return int(edited.wiring.constants[layer.input[1]].dims[weight_axis(layer)])


def _per_output(edited: Edited, layer: Any, node: Any, count: int) -> NDArray[np.float32] | None:
    """The constant operand of an Add or Mul behind a layer, one number an output; None for others."""
    constants = [name for name in node.input if name in edited.wiring.constants]
    array = edited.wiring.array(constants[0]) if len(constants) == 1 else None
    if array is None or not is_float32(array):
        return None
    is_rows = layer.op_type in ("MatMul", "Gemm")
    rank = 2 if is_rows else len(edited.wiring.constants[layer.input[1]].dims)
    if array.ndim > rank:
        return None
    spread = array.reshape((1,) * (rank - array.ndim) + array.shape)
    if spread.size not in (1, spread.shape[1]) or spread.shape[1] not in (1, count):
        return None
    return np.broadcast_to(spread.reshape(-1), count).astype(np.float32)


def _change(edited: Edited, layer: Any, scale: NDArray[Any], offset: NDArray[Any]) -> None:
    """Multiply a layer's outputs by `scale` and add `offset`, both (outputs,)."""
    weight = edited.wiring.array(layer.input[1])
    assert weight is not None
    axis = weight_axis(layer)
    shape = [-1 if each == axis else 1 for each in range(weight.ndim)]
    exact = weight.astype(np.float64) * scale.astype(np.float64).reshape(shape)
    has_bias = len(layer.input) > 2 and layer.input[2]
    bias = edited.wiring.array(layer.input[2]) if has_bias else None
    added = offset.astype(np.float64)
    if bias is not None:
        added = added + bias.astype(np.float64) * scale
    layer.input[1] = edited.constant(exact.astype(np.float32), f"{layer.output[0]}_weight")
    if bias is not None or added.any():
        name = edited.constant(added.astype(np.float32), f"{layer.output[0]}_bias")
        layer.input[:] = [layer.input[0], layer.input[1], name]


def _drop(edited: Edited, before: Any, node: Any) -> None:
    """Take out a node that was folded; the value it made is now made by the node before it."""
    made, gone = node.output[0], before.output[0]
    edited.model.graph.node.remove(node)
    before.output[0] = made
    edited.redirect(gone, made)
