"""The ranges that activations are quantized in, from a histogram of bounded size.

One pass over the calibration data serves every method. ONNX Runtime's own calibrators need one pass
each, keep a histogram that grows without bound where a later batch is larger than the first, and its
entropy method, at its default of 128 bins, has one threshold to choose from.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Method = Literal["minmax", "entropy", "percentile"]
METHODS: tuple[Method, ...] = ("minmax", "entropy", "percentile")
PERCENTILE = 99.99

_BINS = 4096  # over [-limit, limit]; TensorRT's calibrator has 2048 over [0, limit]
_LEVELS = 128  # of int8, for magnitudes
# Numbers in a bin, on average, before bins as fine as these tell more than chance.
_PER_BIN = 64


@dataclass(frozen=True)
class Range:
    """Lowest and highest number that a quantized activation is to hold; always around 0."""

    low: float
    high: float


class Histogram:
    """How often which numbers were seen. It covers [-limit, limit], and limit doubles when it must."""

    def __init__(self) -> None:
        self._low, self._high = np.inf, -np.inf
        self._limit = float(np.finfo(np.float32).tiny)
        self._counts = np.zeros(_BINS, np.int64)

    def add(self, values: NDArray[np.float32]) -> None:
        """Count an array of any shape; what is not finite is passed over."""
        flat = values.reshape(-1)
        finite = np.isfinite(flat)
        flat = flat if finite.all() else flat[finite]
        if not flat.size:
            return
        self._low, self._high = min(self._low, float(flat.min())), max(self._high, float(flat.max()))
        self._reach(max(abs(self._low), abs(self._high)))
        places = ((flat * np.float32(1 / self._limit) + 1) * (_BINS // 2)).astype(np.int32)
        self._counts += np.bincount(np.minimum(places, _BINS - 1), minlength=_BINS)

    def range(self, method: Method) -> Range:
        """By one of the methods; a value that was never seen has the range 0 to 0."""
        low, high = min(self._low, 0.0), max(self._high, 0.0)
        if method == "minmax" or low == high:
            return Range(low, high)
        lower, upper = self._percentiles() if method == "percentile" else self._entropy()
        return Range(max(low, min(lower, 0.0)), min(high, max(upper, 0.0)))

    def _reach(self, magnitude: float) -> None:
        """Double the limit, a power of two, until it is `magnitude`: two old bins are one new one."""
        while self._limit < magnitude:
            pairs = self._counts.reshape(-1, 2).sum(axis=1)
            self._counts = np.pad(pairs, _BINS // 4)
            self._limit *= 2

    def _percentiles(self) -> tuple[float, float]:
        """What `PERCENTILE` percent of the numbers lie between, as much left out below as above."""
        edges = np.linspace(-self._limit, self._limit, _BINS + 1)
        part = np.cumsum(self._counts) / self._counts.sum()
        cut = (100 - PERCENTILE) / 200
        below, above = np.searchsorted(part, cut, "right"), np.searchsorted(part, 1 - cut)
        return float(edges[below]), float(edges[above + 1])

    def _entropy(self) -> tuple[float, float]:
        """The magnitude whose quantized distribution loses least information of the true one.

        S. Migacz, "8-bit inference with TensorRT", GTC 2017. As in NVIDIA's pytorch-quantization, the
        zeros that a Relu leaves, which every range holds exactly, do not count for more than the numbers
        next to them.
        """
        half = _BINS // 2
        counts = (self._counts[half:] + self._counts[:half][::-1]).astype(np.float64)
        while counts.size > 2 * _LEVELS and counts.sum() < _PER_BIN * counts.size:
            counts = counts.reshape(-1, 2).sum(axis=1)
        counts[0] = counts[1]
        step = self._limit / counts.size
        widths = range(_LEVELS, counts.size + 1, max(1, counts.size // 512))
        losses = [_divergence(counts, width) for width in widths]
        limit = widths[int(np.argmin(losses))] * step
        return -limit, limit


def _divergence(counts: NDArray[np.float64], width: int) -> float:
    """Kullback and Leibler's, of the first `width` bins in 128 levels from all bins clipped to `width`.

    What is clipped counts as lost, which the original leaves out: where most numbers lie far from 0, it
    clips most of them.
    """
    clipped = counts[:width].copy()
    clipped[-1] += counts[width:].sum()
    if not clipped.sum():
        return np.inf
    level = np.arange(width) * _LEVELS // width
    used = counts[:width] > 0
    sums = np.bincount(level, counts[:width], _LEVELS)
    shares = sums / np.maximum(np.bincount(level, used, _LEVELS), 1)
    quantized = np.where(used, shares[level], 0)
    if not quantized.sum():
        return np.inf
    p, q = clipped / clipped.sum(), quantized / clipped.sum()
    seen = p > 0
    with np.errstate(divide="ignore"):
        lost = np.log(p[seen]) - np.log(np.maximum(q[seen], 1e-6))
    return float((p[seen] * lost).sum())
