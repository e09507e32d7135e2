"""A causal linear filter of a window, as products with constant matrices.

A causal filter that starts at rest is a lower triangular Toeplitz matrix of its impulse response. Long
windows are cut into blocks of samples: within a block the small triangle does, and all that earlier
blocks leave behind has as few degrees of freedom as the filter has states. Those are found as the
singular vectors of what is below the diagonal, which are orthonormal: nothing large cancels, as the
states of sections would in float32. Arithmetic and constants stay far below length**2.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from converter.blocks.base import Array
from converter.tracing import ops

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_NOTHING = 1e-12  # singular values below this share of the largest are rounding


@dataclass(frozen=True)
class Causal:
    """A filter along the last axis, from rest, forward or backward in time; make it with `of`."""

    length: int
    block: int
    backward: bool
    within: Float32  # (block, block): the triangle, for rows from the left
    read: Float32  # (block, r): what a block leaves behind
    carried: Float32  # (blocks * r, blocks * r): to each block from all before it
    written: Float32  # (r, block): what that does within a block

    @classmethod
    def of(
        cls, respond: Callable[[int], Float64], length: int, states: int, *, backward: bool = False
    ) -> "Causal":
        """respond: the first samples of a stable filter's impulse response; length: 32 or more."""
        turn = slice(None, None, -1 if backward else 1)
        block = _block(length, states)
        count = -(-length // block)
        impulse = respond(count * block)  # cut short it would be a filter of many more states
        within = _toeplitz(impulse, 0, block).T[turn, turn].astype(np.float32)
        below = [_toeplitz(impulse, block * d, block) for d in range(1, count)]
        written = _basis(np.concatenate(below, axis=1), states)
        read = _basis(np.concatenate([part.T for part in below], axis=1), states)
        carried = np.zeros((count, read.shape[1], count, written.shape[1]))
        for d, part in enumerate(below, 1):
            core = (written.T @ part @ read).T
            for earlier in range(count - d):
                carried[earlier, :, earlier + d] = core
        shape = (count * read.shape[1], count * written.shape[1])
        return cls(
            length,
            block,
            backward,
            within,
            read[turn].astype(np.float32),
            carried[turn, :, turn].reshape(shape).astype(np.float32),
            written.T[:, turn].astype(np.float32),
        )

    def __call__(self, x: Array) -> Array:
        """(n, axes, length) to the same."""
        axes, count = x.shape[1], -(-self.length // self.block)
        more = count * self.block - self.length
        parts = ops.pad(x, more, 0) if self.backward else ops.pad(x, 0, more)
        parts = parts.reshape(-1, axes, count, self.block)
        left = np.matmul(parts, self.read).reshape(-1, axes, len(self.carried))
        before = np.matmul(left, self.carried).reshape(-1, axes, count, len(self.written))
        found = np.matmul(parts, self.within) + np.matmul(before, self.written)
        found = found.reshape(-1, axes, count * self.block)
        if not more:
            return found
        return found[:, :, more:] if self.backward else found[:, :, : self.length]


def _block(length: int, states: int) -> int:
    """Of the powers of two, the one that takes the least arithmetic."""
    costs: dict[int, float] = {2**k: length * 2**k + (length / 2**k * states) ** 2 for k in range(4, 11)}
    return min((b for b in costs if b < length), key=lambda b: costs[b])


def _toeplitz(impulse: Float64, delay: int, size: int) -> Float64:
    """(size, size): entry i, j is the response i - j + delay samples later, 0 before it begins."""
    later = np.arange(size)[:, None] - np.arange(size)[None, :] + delay
    inside = (later >= 0) & (later < len(impulse))
    return np.where(inside, impulse[np.clip(later, 0, len(impulse) - 1)], 0.0)


def _basis(parts: Float64, most: int) -> Float64:
    """Orthonormal columns that span the columns of `parts`: one at least, and no more than states."""
    vectors, sizes, _ = np.linalg.svd(parts, full_matrices=False)
    count = min(max(int(np.count_nonzero(sizes > sizes[0] * _NOTHING)), 1), most)
    return np.asarray(vectors[:, :count])
