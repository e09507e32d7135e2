"""Statistics and a magnitude spectrum of windows of sensor readings."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.blocks.base import Array, Block, BlockError
from converter.tracing import ops

Float32 = NDArray[np.float32]

STATISTICS = ("mean", "std", "rms", "min", "max")
DEFAULT_BINS = 20
MAX_LENGTH = 65_536


class WindowFeatures(Block):
    """Turn windows of shape (windows, samples, axes) into float32 features, axis by axis.

    Parameters
    ----------
    statistics : which of "mean", "std" (population, two passes), "rms", "min" and "max", in the
        order the features get.
    spectrum_bins : how many bins of the magnitude spectrum, from bin 1 up; bin k is the frequency
        k * rate / samples. Bin 0 is left out: it is the mean. None means 20, or all
        samples // 2 of a shorter window. 0 means no spectrum.

    The spectrum is scaled to amplitude: a sine of amplitude a that falls on a bin gives a there,
    whatever the window's length. It is 2 / samples * abs(rfft), and half of that at samples / 2.

    All arithmetic is float32, in numpy as in the converted graph. Against float64, for windows of up
    to 4,096 samples and with m the largest absolute value in the window, each feature is within
    2e-6 * m; minimum and maximum are exact. Squares bound the useful range: 1e-15 < m < 1e15.

    Features come statistic by statistic, then bin by bin, each with all its axes side by side.
    """

    def __init__(
        self, statistics: tuple[str, ...] = STATISTICS, spectrum_bins: int | None = None
    ) -> None:
        self.statistics = statistics
        self.spectrum_bins = spectrum_bins

    def learn(self, x: NDArray[Any]) -> None:
        length = x.shape[1]
        if not 2 <= length <= MAX_LENGTH:
            raise BlockError(
                f"WindowFeatures: expected windows of 2 to {MAX_LENGTH} samples, found {length}."
            )
        self._check_parameters(length)
        bins = min(DEFAULT_BINS, length // 2) if self.spectrum_bins is None else self.spectrum_bins
        self.n_bins_ = int(bins)

    def compute(self, x: Array) -> Array:
        centred = mean = None
        if {"mean", "std"} & set(self.statistics) or self.n_bins_:
            # Bins above 0 do not see a constant; taking it out first keeps its rounding out of them,
            # and the mean of squares minus the squared mean would cancel.
            mean = ops.mean(x, axis=1, keepdims=True)
            centred = x - mean
        parts = [self._statistic(name, x, centred, mean) for name in self.statistics]
        if self.n_bins_:
            parts.append(self._spectrum(centred))
        return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]

    def names(self, inputs: list[str]) -> list[str]:
        kinds = [*self.statistics, *(f"bin{k}" for k in range(1, self.n_bins_ + 1))]
        return [f"{axis}_{kind}" for kind in kinds for axis in inputs]

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "spectrum_bins": self.n_bins_}

    def _check_parameters(self, length: int) -> None:
        names: Any = self.statistics
        bins: Any = self.spectrum_bins
        if isinstance(names, str) or not set(names) <= set(STATISTICS) or len(set(names)) < len(names):
            raise BlockError(
                f"WindowFeatures: statistics: expected each of {', '.join(STATISTICS)} at most once, "
                f"found {names!r}."
            )
        whole = isinstance(bins, int | np.integer) and not isinstance(bins, bool)
        if bins is not None and not (whole and 0 <= bins <= length // 2):
            raise BlockError(
                f"WindowFeatures: spectrum_bins: expected None or 0 to {length // 2}, half of the "
                f"window's {length} samples; found {bins!r}."
            )
        if not len(names) and bins == 0:
            raise BlockError("WindowFeatures: expected a statistic or a spectrum, found neither.")

    def _statistic(self, name: str, x: Array, centred: Array, mean: Array) -> Array:
        if name == "mean":
            return mean.reshape(-1, self.input_shape_[1])
        if name in ("std", "rms"):
            norm = ops.norm(centred if name == "std" else x, axis=1)
            return norm * np.float32(1 / np.sqrt(self.input_shape_[0]))
        return ops.smallest(x, axis=1) if name == "min" else ops.largest(x, axis=1)

    def _spectrum(self, centred: Array) -> Array:
        length, axes = self.input_shape_
        parts = np.matmul(_fourier(length, self.n_bins_), centred)
        return ops.norm(parts.reshape(-1, 2, self.n_bins_ * axes), axis=1)


def _fourier(length: int, bins: int) -> Float32:
    """Cosines over sines, (2 * bins, length): the DFT's bins 1 to `bins`, scaled to amplitude."""
    k = np.arange(1, bins + 1)
    angles = 2 * np.pi * (np.outer(k, np.arange(length)) % length) / length
    scale = np.where(2 * k == length, 1.0, 2.0)[:, None] / length
    return np.concatenate([np.cos(angles) * scale, np.sin(angles) * scale]).astype(np.float32)
