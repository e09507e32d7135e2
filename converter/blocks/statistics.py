"""Statistics of windows of sensor readings, axis by axis: moments, extremes, percentiles."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.blocks.base import Array, Block, BlockError
from converter.blocks.lines import level, lines, rounding
from converter.blocks.parameters import check_names, is_number, listed
from converter.tracing import ops

MAX_LENGTH = 65_536
_DEFAULT = ("mean", "std", "min", "max")


class Statistics(Block):
    """Turn windows of shape (windows, samples, axes) into float32 statistics, axis by axis.

    Parameters
    ----------
    statistics : which ones, in the order the features get. In the signal's unit: "mean", "std"
        (population), "rms", "min", "max", "range" (np.ptp), "median", "iqr" (scipy.stats.iqr),
        "mean_absolute" (of the signal), "mean_absolute_deviation" (from the mean),
        "median_absolute_deviation" (scipy.stats.median_abs_deviation). In its square: "var"
        (population), "energy" (sum of squares). Without unit: "skewness" (scipy.stats.skew, biased) and
        "kurtosis" (scipy.stats.kurtosis, biased, 0 for a normal distribution).

    Of a window that does not move, or by less than 1e-6 of its first sample, skewness and kurtosis are 0
    (scipy: nan). They magnify rounding: of computed numbers that only rounding moves, such as the
    cepstrum of silence, they are noise, in numpy as on a device.

    Deviations are taken from the first sample before the mean is taken out, so a small movement on a
    large offset keeps its digits, and a constant is constant to the last bit.

    Features come statistic by statistic, each with all its axes side by side: `axis0_std`.

    All arithmetic is float32. Error against numpy and scipy in float64, for up to 4,096 samples, over
    the largest absolute answer: min and max 0; range 1e-7; median, iqr 2e-7; median_absolute_deviation
    1e-6; mean, std, rms, mean_absolute, energy 2e-6; var, mean_absolute_deviation 4e-6; kurtosis 1e-5;
    skewness 2e-5, where the largest is 1 or more.
    Squares bound the useful range: largest absolute values from 1e-15 to 1e15. TensorRT sorts up to
    3,840 values, which is a median of 7,600 samples and an iqr of 5,100.

    `fit` raises BlockError for windows of fewer than 2 or more than 65,536 samples, and for a statistic
    that is unknown or named twice.
    """

    def __init__(self, statistics: Sequence[str] = _DEFAULT) -> None:
        self.statistics = statistics

    def learn(self, x: NDArray[Any]) -> None:
        check_length("Statistics", x.shape[1], 2)
        check_names("Statistics: statistics", self.statistics, STATISTICS)

    def compute(self, x: Array) -> Array:
        window = _Window(x, self.input_shape_[0])
        parts = [_FORMULAS[name](window) for name in self.statistics]
        return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]

    def names(self, inputs: list[str]) -> list[str]:
        return [f"{axis}_{name}" for name in self.statistics for axis in inputs]


class Percentiles(Block):
    """Turn windows of shape (windows, samples, axes) into float32 percentiles, axis by axis.

    Parameters
    ----------
    percentiles : numbers from 0 to 100, in the order the features get; np.percentile's default method,
        "linear": the place p / 100 * (samples - 1) in the sorted window, between two samples a weighted
        mean of both.

    Features come percentile by percentile, each with all its axes side by side: `axis0_p25`.

    Error against numpy in float64: 1.2e-7 of the largest absolute value in the window, 0 where the place
    is a sample. One TopK sorts as much of the window, from above or from below, as is needed; TensorRT
    takes up to 3,840 samples of it.

    `fit` raises BlockError for a percentile outside 0 to 100 or given twice, none at all, and windows
    of more than 65,536 samples.
    """

    def __init__(self, percentiles: Sequence[float] = (5, 25, 50, 75, 95)) -> None:
        self.percentiles = percentiles

    def learn(self, x: NDArray[Any]) -> None:
        check_length("Percentiles", x.shape[1], 1)
        found = listed(self.percentiles)
        wrong = [p for p in found if not (is_number(p) and 0 <= p <= 100)]
        if wrong or not found or len(set(found)) < len(found):
            raise BlockError(
                "Percentiles: percentiles: expected numbers from 0 to 100, each once; found "
                f"{self.percentiles!r}."
            )

    def compute(self, x: Array) -> Array:
        length, axes = self.input_shape_
        found = quantiles(lines(x), length, [p / 100 for p in self.percentiles])
        return np.swapaxes(found, 1, 2).reshape(-1, len(self.percentiles) * axes)

    def names(self, inputs: list[str]) -> list[str]:
        return [f"{axis}_p{p:g}" for p in self.percentiles for axis in inputs]


def quantiles(x: Array, length: int, fractions: Sequence[float]) -> Array:
    """Numpy's linear quantiles of lines (n, axes, length): (n, axes, fractions)."""
    places = np.array(fractions, np.float64) * (length - 1)
    low = np.floor(places).astype(np.int64)
    high = np.minimum(low + 1, length - 1)
    share = (places - low).astype(np.float32)
    high[share == 0] = low[share == 0]
    from_above = length - low.min() < high.max() + 1
    count = int(length - low.min() if from_above else high.max() + 1)
    ordered, _ = ops.top_k(x, count, largest=bool(from_above))
    if from_above:
        low, high = length - 1 - low, length - 1 - high
    below = np.take(ordered, low, axis=-1)
    if not share.any():
        return below
    return below + (np.take(ordered, high, axis=-1) - below) * share


def check_length(block: str, found: int, least: int) -> None:
    """Raises BlockError for a window that is too short, or longer than float32 sums are good for."""
    if not least <= found <= MAX_LENGTH:
        raise BlockError(
            f"{block}: expected windows of {least} to {MAX_LENGTH} samples, found {found}. "
            "Cut the recording into windows of another length."
        )


class _Window:
    """What several statistics of the same windows (n, samples, axes) share."""

    def __init__(self, x: Array, length: int) -> None:
        self.x = x
        self.length = length

    @cached_property
    def lines(self) -> Array:
        return lines(self.x)

    @cached_property
    def level(self) -> Array:
        return level(self.lines)

    @cached_property
    def std(self) -> Array:
        return ops.norm(self.level, axis=2, keepdims=True) * np.float32(1 / np.sqrt(self.length))

    @cached_property
    def standard(self) -> Array:
        """Deviations in standard deviations; 0 where nothing moves but by rounding."""
        moves = self.std > rounding(self.lines[:, :, :1])
        return self.level / np.where(moves, self.std, np.float32(np.inf))

    @cached_property
    def smallest(self) -> Array:
        return ops.smallest(self.x, axis=1)

    @cached_property
    def largest(self) -> Array:
        return ops.largest(self.x, axis=1)

    @cached_property
    def quartiles(self) -> Array:
        """The first and the third: (n, axes, 2)."""
        return quantiles(self.lines, self.length, (0.25, 0.75))

    @cached_property
    def median(self) -> Array:
        return quantiles(self.lines, self.length, (0.5,))[:, :, 0]

    @property
    def skewness(self) -> Array:
        z = self.standard
        return ops.mean(z * z * z, axis=2)

    @property
    def kurtosis(self) -> Array:
        """The mean of z^4, less three times that of z^2, which is 1, and 0 where nothing moves."""
        square = self.standard * self.standard
        return ops.mean(square * (square - np.float32(3)), axis=2)

    @property
    def median_absolute_deviation(self) -> Array:
        away = np.abs(self.lines - self.median[:, :, None])
        return quantiles(away, self.length, (0.5,))[:, :, 0]


_FORMULAS: dict[str, Callable[[_Window], Array]] = {
    "mean": lambda w: ops.mean(w.x, axis=1),
    "std": lambda w: w.std[:, :, 0],
    "var": lambda w: ops.mean(w.level * w.level, axis=2),
    "rms": lambda w: ops.norm(w.x, axis=1) * np.float32(1 / np.sqrt(w.length)),
    "min": lambda w: w.smallest,
    "max": lambda w: w.largest,
    "range": lambda w: w.largest - w.smallest,
    "median": lambda w: w.median,
    "iqr": lambda w: w.quartiles[:, :, 1] - w.quartiles[:, :, 0],
    "mean_absolute": lambda w: ops.mean(np.abs(w.x), axis=1),
    "mean_absolute_deviation": lambda w: ops.mean(np.abs(w.level), axis=2),
    "median_absolute_deviation": lambda w: w.median_absolute_deviation,
    "skewness": lambda w: w.skewness,
    "kurtosis": lambda w: w.kurtosis,
    "energy": lambda w: np.sum(w.x * w.x, axis=1),
}
STATISTICS = tuple(_FORMULAS)
