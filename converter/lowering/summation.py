"""Sums that round as numpy's do, for models that scikit-learn computes in float32."""

from typing import Any

Array = Any

_BLOCK = 128  # PW_BLOCKSIZE of numpy/_core/src/umath/loops_utils.h.src


def pairwise_sum(x: Array) -> Array:
    """`np.sum` along the last axis of a C-contiguous array, bit for bit: its order of additions.

    Eight running sums over a block, added in pairs, then what is left over; longer rows in halves.
    """
    size = int(x.shape[-1])
    if size > _BLOCK:
        half = size // 2 - size // 2 % 8
        return pairwise_sum(x[..., :half]) + pairwise_sum(x[..., half:])
    whole = size - size % 8
    if not whole:
        return _one_by_one(x[..., 0], x, 1)
    sums = x[..., :8]
    for at in range(8, whole, 8):
        sums = sums + x[..., at : at + 8]
    for _ in range(3):
        sums = sums[..., 0::2] + sums[..., 1::2]
    return _one_by_one(sums[..., 0], x, whole)


def _one_by_one(total: Array, x: Array, start: int) -> Array:
    for at in range(start, int(x.shape[-1])):
        total = total + x[..., at]
    return total
