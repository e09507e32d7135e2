"""How windows of sensor readings repeat: zero crossings and autocorrelation, axis by axis."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from converter.blocks.base import Array, Block, BlockError
from converter.blocks.lines import level, lines, windows
from converter.blocks.parameters import check_choice, check_flag, is_whole, listed
from converter.blocks.statistics import check_length
from converter.tracing import ops

_FEW = 16  # lags up to which reading each by itself is faster
_MAX_READ = 1 << 22  # lags times samples; beyond, they would take more memory than time


class ZeroCrossings(Block):
    """How often the sign changes in windows of shape (windows, samples, axes), axis by axis.

    Parameters
    ----------
    centre : False counts in the signal as it is, True in the signal less its window's mean.
    give : "count", the number of neighbours of different sign, 0 to samples - 1; or "rate", that number
        over the number of samples, as librosa.feature.zero_crossing_rate has it.

    0 and -0 count as positive, as in librosa: 1, 0, 1 has no crossing, -1, 0, -1 has two. A constant
    window has none, centred or not.

    Counts of the signal are exact, rates within 1e-7. Centred, a sample that lies within 1e-6 of the
    window's largest absolute value from the mean may count on the other side of it.

    Features: `axis0_crossings`, or `axis0_crossing_rate`. `fit` raises BlockError for windows of fewer
    than 2 or more than 65,536 samples.
    """

    def __init__(self, centre: bool = False, give: Literal["count", "rate"] = "count") -> None:
        self.centre = centre
        self.give = give

    def learn(self, x: NDArray[Any]) -> None:
        check_length("ZeroCrossings", x.shape[1], 2)
        check_flag("ZeroCrossings: centre", self.centre)
        check_choice("ZeroCrossings: give", self.give, ("count", "rate"))

    def compute(self, x: Array) -> Array:
        signal = level(lines(x)) if self.centre else lines(x)
        negative = (signal < 0).astype(np.float32)
        count = np.sum(np.abs(negative[:, :, 1:] - negative[:, :, :-1]), axis=2)
        return count if self.give == "count" else count * np.float32(1 / self.input_shape_[0])

    def names(self, inputs: list[str]) -> list[str]:
        kind = "crossings" if self.give == "count" else "crossing_rate"
        return [f"{axis}_{kind}" for axis in inputs]


class Autocorrelation(Block):
    """How windows of shape (windows, samples, axes) resemble themselves some samples later.

    Parameters
    ----------
    lags : how many samples later, each from 0 to samples - 1; a number k means 1 to k.

    The usual biased estimator (Box, Jenkins and Reinsel, Time Series Analysis, 2.1.6; the default of
    statsmodels' acf): with d the signal less its mean, r(k) = sum(d[t] d[t + k]) / sum(d[t] d[t]), from
    -1 to 1. Of a window that does not move it is 0 at every lag.

    Features come lag by lag, each with all its axes side by side: `axis0_lag3`. Error against numpy in
    float64: 1e-6 for 100 samples, 2e-6 for 256, 5e-6 for 4,096.

    `fit` raises BlockError for a lag beyond the window or given twice, none at all, and windows of fewer
    than 2 or more than 65,536 samples.
    """

    def __init__(self, lags: int | Sequence[int] = 10) -> None:
        self.lags = lags

    def learn(self, x: NDArray[Any]) -> None:
        length = x.shape[1]
        check_length("Autocorrelation", length, 2)
        given: Any = self.lags
        one = is_whole(given, 1, length - 1)
        lags = list(range(1, int(given) + 1)) if one else listed(given)
        right = all(is_whole(lag, 0, length - 1) for lag in lags)
        if not lags or not right or len(set(lags)) < len(lags):
            raise BlockError(
                f"Autocorrelation: lags: expected whole numbers from 0 to {length - 1}, below the "
                f"window's {length} samples, each once; found {given!r}."
            )
        self.lags_ = tuple(map(int, lags))

    def compute(self, x: Array) -> Array:
        away = level(lines(x))
        length = ops.norm(away, axis=2, keepdims=True)
        unit = away / np.where(length > 0, length, np.float32(1))
        samples, axes = self.input_shape_
        if _FEW < len(self.lags_) <= _MAX_READ // samples:
            return self._at_once(unit).reshape(-1, len(self.lags_) * axes)
        products = [np.sum(unit[:, :, : samples - lag] * unit[:, :, lag:], axis=2) for lag in self.lags_]
        return np.concatenate(products, axis=1) if len(products) > 1 else products[0]

    def _at_once(self, unit: Array) -> Array:
        """All lags in one read, (n, lags, axes): a graph of a few nodes, however many lags there are."""
        samples = self.input_shape_[0]
        later = np.minimum(np.array(self.lags_)[:, None] + np.arange(samples), samples)
        unit = windows(unit)  # what is read for one lag then lies side by side
        ended = np.concatenate([unit, unit[:, :1] * np.float32(0)], axis=1)
        return np.sum(np.take(ended, later, axis=1) * unit[:, None], axis=2)

    def names(self, inputs: list[str]) -> list[str]:
        return [f"{axis}_lag{lag}" for lag in self.lags_ for axis in inputs]
