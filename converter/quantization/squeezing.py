"""Keras convolves series with two-dimensional convolutions, between an Unsqueeze and a Squeeze.

What follows, a Relu or an addition, then stands behind the Squeeze, where no engine fuses it with the
convolution; and the next layer's Unsqueeze undoes what the Squeeze did.
"""

from typing import Any

import numpy as np

from converter.quantization.editing import Edited
from converter.quantization.wiring import is_standard


def settled(model: Any) -> None:
    """Move each Squeeze behind a convolution as far down as it goes, in place, or out.

    Not one number changes; what fuses a convolution with its bias and its Relu finds them.
    """
    edited = Edited(model)
    constants = edited.wiring.constants
    ranks = {
        node.output[0]: len(constants[node.input[1]].dims)
        for node in edited.nodes()
        if is_standard(node, "Conv") and node.input[1] in constants
    }
    moved = False
    while sunk(edited, ranks) or cancelled(edited, ranks):
        moved = True
    if moved:
        edited.forget_unread()


def sunk(edited: Edited, ranks: dict[str, int]) -> bool:
    """Move one Squeeze behind what follows it; whether there was one."""
    for node in edited.nodes():
        axes = _axes(edited, node, "Squeeze")
        rank = ranks.get(node.input[0])
        after = edited.only_reader(node.output[0])
        if axes is None or rank is None or after is None:
            continue
        moves = _spread_padding if after.op_type == "Pad" else _spread
        if is_standard(after, "Relu", "Clip") or moves(edited, after, axes, rank):
            _exchange(edited, node, after)
            ranks[after.output[0]] = rank
            return True
    return False


def cancelled(edited: Edited, _ranks: dict[str, int]) -> bool:
    """Take out one Squeeze and the Unsqueeze that undoes it; whether there was one."""
    for node in edited.nodes():
        axes = _axes(edited, node, "Squeeze")
        after = edited.only_reader(node.output[0])
        if axes is None or after is None or _axes(edited, after, "Unsqueeze") != axes:
            continue
        if after.output[0] not in edited.wiring.outputs:
            edited.remove(after)
            edited.remove(node)
            return True
    return False


def _axes(edited: Edited, node: Any, operator: str) -> list[int] | None:
    """The axes of a Squeeze or Unsqueeze; None where they are no constant or counted from the end."""
    if not is_standard(node, operator) or len(node.input) < 2:
        return None
    array = edited.wiring.array(node.input[1])
    axes = None if array is None else sorted(array.reshape(-1).tolist())
    return None if axes is None or any(axis < 0 for axis in axes) else axes


def _spread(edited: Edited, node: Any, axes: list[int], rank: int) -> bool:
    """Give the constant of an Add or Mul the squeezed axes; whether it has one."""
    if not is_standard(node, "Add", "Mul"):
        return False
    constants = [at for at, name in enumerate(node.input) if name in edited.wiring.constants]
    if len(constants) != 1:
        return False
    at = constants[0]
    array = edited.wiring.array(node.input[at])
    assert array is not None
    short = rank - len(axes)
    if array.ndim > short:
        return False
    array = array.reshape((1,) * (short - array.ndim) + array.shape)
    node.input[at] = edited.constant(np.expand_dims(array, tuple(axes)), f"{node.input[at]}_spread")
    return True


def _spread_padding(edited: Edited, node: Any, axes: list[int], rank: int) -> bool:
    """Give the Pad in front of a causal convolution the squeezed axes; whether it has some others."""
    pads = edited.wiring.array(node.input[1]) if is_standard(node, "Pad") else None
    if pads is None or pads.size != 2 * (rank - len(axes)) or any(node.input[3:]):
        return False
    before, after = pads.reshape(2, -1).tolist()
    for axis in axes:
        before.insert(axis, 0)
        after.insert(axis, 0)
    node.input[1] = edited.constant(np.array([*before, *after], np.int64), f"{node.input[1]}_spread")
    return True


def _exchange(edited: Edited, squeeze: Any, after: Any) -> None:
    """First `after`, then the Squeeze; the value behind both keeps its name."""
    last, between = after.output[0], squeeze.output[0]
    after.input[:] = [squeeze.input[0] if name == between else name for name in after.input]
    after.output[0], squeeze.output[0] = between, last
    squeeze.input[0] = between
    edited.move_behind(squeeze, after)
