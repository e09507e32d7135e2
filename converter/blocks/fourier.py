"""The discrete Fourier transform of real numbers as products with constant matrices.

Standard operators have no DFT that TensorRT takes, so a transform is a MatMul with cosines and sines,
with the window function folded in. Above a few hundred points that matrix is larger than a device's
caches; where the length has factors, n_fft = n1 * n2, two small transforms with a multiplication in
between do the same (J. W. Cooley, J. W. Tukey, Math. Comp. 19, 1965): less arithmetic, and constants of
kilobytes in place of megabytes. Constants are computed in float64 and rounded once.
"""

from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.blocks.base import Array, BlockError
from converter.blocks.lines import lines, rounding
from converter.tracing import ops

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_SMALL = 2**16  # numbers in a matrix that is read fast enough as a whole
_MAX_MATRIX = 2**22  # of 16 MiB
_FEW = 500  # amplitudes of which the root of a sum of squares is fastest as one node


def centred(x: Array) -> tuple[Array, Array]:
    """Windows (n, samples, axes) without their means, the samples last, and the means (n, axes, 1)."""
    x = lines(x)
    mean = ops.mean(x, axis=2, keepdims=True)
    return x - mean, mean


def shares(power: Array, total: Array, mean: Array) -> Array:
    """power over total, and 0 where there is none but rounding; mean: what was taken out before."""
    none = total <= np.square(rounding(mean))
    return np.where(none, np.float32(0), power / np.where(none, np.float32(1), total))


def side_by_side(x: Array) -> Array:
    """(n, axes, k) as features (n, axes * k), axis by axis; (n, axes, frames, k) as windows."""
    if x.ndim == 3:
        return x.reshape(-1, x.shape[1] * x.shape[2])
    _, axes, frames, bins = x.shape
    x = x if axes == 1 else np.transpose(x, (0, 2, 1, 3))
    return x.reshape(-1, frames, axes * bins)


def frame_count(length: int, frame: int, hop: int) -> int:
    """How many whole frames fit."""
    return 1 + (length - frame) // hop


def frames(x: Array, frame: int, hop: int) -> Array:
    """Overlapping parts along the last axis: (n, axes, samples) to (n, axes, frames, frame).

    Moved in pieces that starts and ends are multiples of, for a Gather of single numbers is slow; where
    only short pieces are, frames are taken longer and cut.
    """
    _, axes, length = x.shape
    count, piece, taken = frame_count(length, frame, hop), gcd(frame, hop), frame
    if count > 1 and piece * 8 < hop:
        piece, taken = hop, -(-frame // hop) * hop
    used = (count - 1) * hop + taken
    x = x[:, :, :used] if used < length else ops.pad(x, 0, used - length)
    if count > 1 and hop != taken:
        first = np.arange(count)[:, None] * (hop // piece)
        places = first + np.arange(taken // piece)
        x = x.reshape(-1, axes, used // piece, piece)[:, :, places]
    x = x.reshape(-1, axes, count, taken)
    return x if taken == frame else x[:, :, :, :frame]


@dataclass(frozen=True)
class _Stages:
    """Constants of a transform in two stages of rows and columns; n_fft = rows * columns."""

    rows: int
    columns: int
    window: Float32 | None
    first: Float32  # (2 * rows, rows): real and imaginary part of each row in turn
    swap: NDArray[np.int64]  # puts the imaginary part where the real one is
    cosines: Float32  # (2 * rows, columns)
    sines: Float32
    real: Float32  # (2 * columns, kept): of the bins r + rows * c, those with small c
    imaginary: Float32


@dataclass(frozen=True)
class Dft:
    """Chosen bins of scale * DFT(window * x), zero-padded to n_fft, along the last axis.

    Use `of` to make one. Against float64 an amplitude is within 5e-7 of the largest that a sine of the
    input's largest absolute value could have; measured for 8 to 65,536 points.
    """

    length: int
    n_fft: int
    bins: NDArray[np.int64]
    even: Float32 | None  # what the scale of each bin is over the largest; None: the same
    matrix: Float32 | None
    stages: _Stages | None

    @classmethod
    def of(cls, block: str, window: Float64, n_fft: int, bins: NDArray[Any], scale: Float64) -> "Dft":
        """window: (length,), length <= n_fft. bins: rising, of 0 to n_fft // 2. scale: one number each.

        Raises BlockError, in the name of `block`, where the matrix would be too large.
        """
        length, size, largest = len(window), 2 * len(bins) * len(window), scale.max()
        factors = _factors(n_fft, bins)
        if size > _SMALL and factors:
            even = None if (scale == largest).all() else (scale / largest).astype(np.float32)
            stages = _stages(window, *factors, int(bins[-1]), float(largest))
            return cls(length, n_fft, bins, even, None, stages)
        if size > _MAX_MATRIX:
            raise BlockError(
                f"{block}: {n_fft} points have no two factors of like size, and {len(bins)} bins of "
                f"them need {size} constants, expected at most {_MAX_MATRIX}: give windows or n_fft a "
                f"length such as {2 ** int(np.ceil(np.log2(n_fft)))}, or ask for fewer bins."
            )
        angles = _angles(np.arange(length), bins, n_fft)
        parts = np.stack([np.cos(angles), -np.sin(angles)], axis=1) * scale
        matrix = (parts * window[:, None, None]).reshape(length, -1).astype(np.float32)
        return cls(length, n_fft, bins, None, matrix, None)

    def magnitude(self, x: Array) -> Array:
        """(n, ..., length) to (n, ..., bins), bins being a range: scale * abs(DFT)."""
        count = len(self.bins)
        if self.matrix is not None and x.ndim == 3 and x.shape[1] * count < _FEW:
            return ops.norm(ops.product(x, self.matrix).reshape(-1, x.shape[1], 2, count), axis=2)
        return np.sqrt(self.power(x))

    def power(self, x: Array) -> Array:
        """(n, ..., length) to (n, ..., bins), bins being a range: the square of `magnitude`."""
        if self.stages is None:
            parts, count = self._direct(x), len(self.bins)
            return np.square(parts[..., :count]) + np.square(parts[..., count:])
        found = np.swapaxes(self._in_stages(x), x.ndim - 1, x.ndim)  # bin r + rows * c: c, then r
        found = found.reshape(-1, *x.shape[1:-1], found.shape[-1] * found.shape[-2])
        first, last = int(self.bins[0]), int(self.bins[-1])
        assert last - first + 1 == len(self.bins)
        found = found[..., first : last + 1]
        return found if self.even is None else found * np.square(self.even)

    def mixture(self, weights: Float64) -> Float32:
        """What `mixed` needs for weights (bins, k) of squared magnitudes, the scale included."""
        if self.stages is None:
            return np.concatenate([weights, weights]).astype(np.float32)
        if self.even is not None:
            weights = np.square(self.even.astype(np.float64))[:, None] * weights
        rows, kept = self.stages.rows, self.stages.real.shape[1]
        made = np.zeros((rows, kept, weights.shape[1]))
        made[self.bins % rows, self.bins // rows] = weights
        return made.reshape(rows * kept, -1).astype(np.float32)

    def mixed(self, x: Array, mixture: Float32) -> Array:
        """(n, ..., length) to (n, ..., k): squared magnitudes times weights, as `mixture` made them."""
        if self.stages is None:
            return np.matmul(np.square(self._direct(x)), mixture)
        return np.matmul(self._in_stages(x).reshape(-1, *x.shape[1:-1], len(mixture)), mixture)

    def _direct(self, x: Array) -> Array:
        """Real parts beside imaginary ones: (n, ..., 2 * bins)."""
        assert self.matrix is not None
        return ops.product(x, self.matrix)

    def _in_stages(self, x: Array) -> Array:
        """Squared magnitudes (n, ..., rows, kept): bin r + rows * c at r, c."""
        stages, outer = self.stages, x.shape[1:-1]
        assert stages is not None
        x = x if stages.window is None else x * stages.window
        x = ops.pad(x, 0, self.n_fft - self.length)
        x = np.matmul(stages.first, x.reshape(-1, *outer, stages.rows, stages.columns))
        x = x * stages.cosines + np.take(x, stages.swap, axis=x.ndim - 2) * stages.sines
        x = x.reshape(-1, *outer, stages.rows, 2 * stages.columns)
        return np.square(np.matmul(x, stages.real)) + np.square(np.matmul(x, stages.imaginary))


def _angles(samples: NDArray[Any], bins: NDArray[Any], n_fft: int) -> Float64:
    """Of exp(-i angle), from whole turns taken off in whole numbers."""
    found: Float64 = 2 * np.pi * (np.outer(samples, bins) % n_fft) / n_fft
    return found


def _factors(n_fft: int, bins: NDArray[Any]) -> tuple[int, int] | None:
    """rows * columns = n_fft with the least arithmetic; None where one product needs less."""
    best, least = None, n_fft * len(bins)
    for rows in range(2, n_fft // 2 + 1):
        cost = n_fft * (rows + 2 * (int(bins[-1]) // rows + 1))
        if n_fft % rows == 0 and cost < least:
            best, least = (rows, n_fft // rows), cost
    return best


def _stages(window: Float64, rows: int, columns: int, last: int, scale: float) -> _Stages:
    """Sample columns * i + j and bin r + rows * c: over i first, then turned by r * j, then over j.

    exp(-i a) = cos a - i sin a, of which real and imaginary parts stand in turn.
    """
    r, j = np.arange(rows), np.arange(columns)
    angles = _angles(r, r, rows)
    first = np.stack([np.cos(angles), -np.sin(angles)], axis=1).reshape(2 * rows, rows)
    twist = _angles(r, j, rows * columns)
    cosines, sines = np.cos(twist), np.sin(twist)
    angles = _angles(j, np.arange(last // rows + 1), columns)
    real = np.concatenate([np.cos(angles), np.sin(angles)]) * scale
    imaginary = np.concatenate([-np.sin(angles), np.cos(angles)]) * scale
    return _Stages(
        rows=rows,
        columns=columns,
        window=None if (window == 1).all() else window.astype(np.float32),
        first=first.astype(np.float32),
        swap=np.arange(2 * rows) ^ 1,
        cosines=np.repeat(cosines, 2, axis=0).astype(np.float32),
        sines=np.stack([sines, -sines], axis=1).reshape(2 * rows, columns).astype(np.float32),
        real=real.astype(np.float32),
        imaginary=imaginary.astype(np.float32),
    )
