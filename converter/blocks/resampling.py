"""The weights with which Pillow resizes images, and how float32 computes with them exactly.

After Pillow's `src/libImaging/Resample.c` (MIT-CMU): precompute_coeffs, and normalize_coeffs_8bpc, which
rounds the weights of 8-bit images to whole numbers of 1 / 2^22.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.blocks.base import Array

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_PRECISION = 22  # bits of Pillow's weights behind the point
_BITS = 24  # whole numbers below 2^24 are exact in float32, in any order of summation
_LEVELS = 255
_BLOCK = 32  # rows


def _box(t: Float64) -> Float64:
    return np.where((t > -0.5) & (t <= 0.5), 1.0, 0.0)


def _triangle(t: Float64) -> Float64:
    return np.where(np.abs(t) < 1, 1 - np.abs(t), 0.0)


def _cubic(t: Float64) -> Float64:
    """Keys' kernel with a = -1/2."""
    a, t = -0.5, np.abs(t)
    inner = ((a + 2) * t - (a + 3)) * t * t + 1
    outer = (((t - 5) * t + 8) * t - 4) * a
    return np.where(t < 1, inner, np.where(t < 2, outer, 0.0))


def _lanczos(t: Float64) -> Float64:
    """Windowed sinc over three zeros."""
    return np.where((t >= -3) & (t < 3), np.sinc(t) * np.sinc(t / 3), 0.0)


# The kernel, and how far it reaches when the image grows.
KERNELS: dict[str, tuple[Callable[[Float64], Float64], float]] = {
    "box": (_box, 0.5),
    "bilinear": (_triangle, 1.0),
    "bicubic": (_cubic, 2.0),
    "lanczos": (_lanczos, 3.0),
}


def weights(size: int, wanted: int, method: str) -> Float64:
    """How much of each of `size` pixels goes into each of `wanted`: (wanted, size), rows that add to 1.

    When an image shrinks the kernel grows with the scale: that is Pillow's antialiasing.
    """
    kernel, reach = KERNELS[method]
    scale = size / wanted
    stretch = max(scale, 1.0)
    support = reach * stretch
    found = np.zeros((wanted, size))
    for at in range(wanted):
        centre = (at + 0.5) * scale
        first = max(int(centre - support + 0.5), 0)
        last = min(int(centre + support + 0.5), size)
        away: Float64 = np.arange(first, last, dtype=np.float64) - centre + 0.5
        share = kernel(away * (1.0 / stretch))
        found[at, first:last] = share / share.sum()
    return found


@dataclass(frozen=True)
class Product:
    """A constant matrix (wanted, size), zero but for a band, as blocks of its rows.

    blocks: (first, last, block), a block holding the columns from first to last only, so that most of a
        large matrix is never multiplied.
    """

    blocks: tuple[tuple[int, int, Float32], ...]

    @classmethod
    def of(cls, matrix: NDArray[Any]) -> "Product":
        """Each block has a band of its own; a small matrix is one block."""
        height = _BLOCK if len(matrix) > 2 * _BLOCK else len(matrix)
        blocks = []
        for top in range(0, len(matrix), height):
            rows = matrix[top : top + height]
            used = np.flatnonzero(rows.any(axis=0))
            first, last = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
            blocks.append((first, last, np.ascontiguousarray(rows[:, first:last], np.float32)))
        return cls(tuple(blocks))

    def across(self, x: Array) -> Array:
        """(n, channels, height, size) to (n, channels, height, wanted)."""
        return _joined([np.matmul(x[:, :, :, a:b], block.T) for a, b, block in self.blocks], 3)

    def down(self, x: Array) -> Array:
        """(n, channels, size, width) to (n, channels, wanted, width)."""
        return _joined([np.matmul(block, x[:, :, a:b]) for a, b, block in self.blocks], 2)


@dataclass(frozen=True)
class WholeProduct:
    """Pillow's weights in 1 / 2^22, as high * 2^shift + low, both of whole numbers.

    255 levels times either, added up, stay below 2^24: so sums are exact, whoever adds them.
    overshoots: whether some are below 0, so that an answer may leave 0 to 255, and is cut off.
    """

    high: Product
    low: Product
    shift: int
    overshoots: bool

    @classmethod
    def of(cls, matrix: Float64) -> "WholeProduct | None":
        """Rounded as Pillow does for 8-bit images; None where float32 cannot add so many up."""
        # numpy rounds halves to even, Pillow away from 0
        whole = np.trunc(matrix * 2**_PRECISION + np.copysign(0.5, matrix)).astype(np.int64)
        # 11 bits first: what fits them is exact in TensorFloat-32 too, in which GPUs may multiply.
        for shift in range(11, 4, -1):
            high = (whole + (1 << (shift - 1))) >> shift
            low = whole - (high << shift)
            sums = [int(np.abs(part).sum(axis=1).max()) * _LEVELS for part in (high, low)]
            if max(sums) + (1 << (_PRECISION - shift)) < 1 << _BITS:
                return cls(Product.of(high), Product.of(low), shift, bool((whole < 0).any()))
        return None

    def across(self, x: Array) -> Array:
        """As of Product; whole levels to whole levels, 0 to 255."""
        return self._rounded(self.high.across(x), self.low.across(x))

    def down(self, x: Array) -> Array:
        """As of Product; whole levels to whole levels, 0 to 255."""
        return self._rounded(self.high.down(x), self.low.down(x))

    def _rounded(self, high: Array, low: Array) -> Array:
        """(high * 2^shift + low) / 2^22, rounded half up, every step exact."""
        rest = _PRECISION - self.shift
        carried = np.floor(low * np.float32(2.0**-self.shift)) + np.float32(2.0 ** (rest - 1))
        levels = np.floor((high + carried) * np.float32(2.0**-rest))
        return np.clip(levels, np.float32(0), np.float32(_LEVELS)) if self.overshoots else levels


def _joined(parts: list[Array], axis: int) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=axis)
