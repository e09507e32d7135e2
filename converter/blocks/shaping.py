"""Windows of another shape: detrended, resampled, differenced, with magnitudes; and flat ones."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample

from converter.blocks.base import Array, Block, BlockError
from converter.blocks.lines import level, lines, windows
from converter.blocks.parameters import check_choice, check_flag, is_whole, listed
from converter.blocks.statistics import check_length
from converter.tracing import ops

_MAX_WEIGHTS = 1 << 24  # 64 MiB of float32


class Detrend(Block, auto_wrap_output_keys=None):
    """Take the trend out of windows of shape (windows, samples, axes), each axis by itself.

    Parameters
    ----------
    trend : "linear", the least-squares straight line, or "constant", the mean: scipy.signal.detrend's
        `type`.

    Answer: windows of the same shape, float32. Error against scipy in float64, for up to 4,096 samples:
    1e-6 of the largest absolute value in the window.

    `fit` raises BlockError for windows of fewer than 2 or more than 65,536 samples.
    """

    def __init__(self, trend: Literal["linear", "constant"] = "linear") -> None:
        self.trend = trend

    def learn(self, x: NDArray[Any]) -> None:
        check_length("Detrend", x.shape[1], 2)
        check_choice("Detrend: trend", self.trend, ("linear", "constant"))

    def compute(self, x: Array) -> Array:
        away = level(lines(x))
        if self.trend == "linear":
            samples = self.input_shape_[0]
            time = np.arange(samples) - (samples - 1) / 2
            slope = np.matmul(away, (time / np.sum(time * time)).astype(np.float32)[:, None])
            away = away - time.astype(np.float32) * slope
        return windows(away)


class Difference(Block, auto_wrap_output_keys=None):
    """Each sample less the one before: windows (windows, samples - order, axes), float32, as np.diff.

    Parameters
    ----------
    order : how many times; 1 or more, below the number of samples.

    Error against numpy in float64: 1e-7 * 2**order of the largest absolute value in the window. `fit`
    raises BlockError where order leaves no sample.
    """

    def __init__(self, order: int = 1) -> None:
        self.order = order

    def learn(self, x: NDArray[Any]) -> None:
        if not is_whole(self.order, 1, x.shape[1] - 1):
            raise BlockError(
                f"Difference: order: expected 1 to {x.shape[1] - 1}, below the window's {x.shape[1]} "
                f"samples; found {self.order!r}."
            )

    def compute(self, x: Array) -> Array:
        for _ in range(self.order):
            x = x[:, 1:] - x[:, :-1]
        return x


class Resample(Block, auto_wrap_output_keys=None):
    """Windows of another number of samples: (windows, samples, axes) to (windows, length, axes).

    Parameters
    ----------
    length : samples of the answer, 1 or more.
    method : "linear": straight lines between samples, the first and the last staying where they are
        (np.interp at np.linspace(0, samples - 1, length)); it does not filter, so going down lets high
        frequencies fold over. "fourier": scipy.signal.resample, which cuts them off, and takes the
        window for one period.

    Answer: float32. "linear" is two reads and a weighted mean, within 1.2e-7 of the largest absolute
    value in the window; "fourier" is one product with scipy's own matrix, computed in float64, within
    3e-6.

    `fit` raises BlockError for a length below 1, and where that matrix has more than 16,777,216
    entries.
    """

    def __init__(self, length: int, method: Literal["linear", "fourier"] = "linear") -> None:
        self.length = length
        self.method = method

    def learn(self, x: NDArray[Any]) -> None:
        samples = x.shape[1]
        if not is_whole(self.length, 1, _MAX_WEIGHTS):
            raise BlockError(
                f"Resample: length: expected a whole number of samples from 1 to {_MAX_WEIGHTS}, found "
                f"{self.length!r}."
            )
        check_choice("Resample: method", self.method, ("linear", "fourier"))
        if self.method == "linear":
            place = np.linspace(0, samples - 1, self.length)
            self.before_ = np.floor(place).astype(np.int64)
            self.share_ = (place - self.before_).astype(np.float32)
            return
        if samples * self.length > _MAX_WEIGHTS:
            raise BlockError(
                f"Resample: expected at most {_MAX_WEIGHTS} weights, samples times length, found "
                f"{samples} * {self.length}. Cut shorter windows, or take method='linear'."
            )
        self.weights_ = resample(np.eye(samples), self.length, axis=0).astype(np.float32)

    def compute(self, x: Array) -> Array:
        if self.method == "fourier":
            return np.matmul(self.weights_, x)
        before = np.take(x, self.before_, axis=1)
        if not self.share_.any():
            return before
        after = np.take(x, np.minimum(self.before_ + 1, self.input_shape_[0] - 1), axis=1)
        return before + (after - before) * self.share_[:, None]


class Magnitude(Block, auto_wrap_output_keys=None):
    """The Euclidean norm over axes, sample by sample, of windows of shape (windows, samples, axes).

    Parameters
    ----------
    groups : the numbers of the axes of each magnitude, such as ((0, 1, 2), (3, 4, 5)) for an
        accelerometer and a gyroscope. None: one magnitude of all axes.
    append : True keeps the axes and puts the magnitudes behind them; False gives magnitudes alone.

    Answer: windows (windows, samples, magnitudes) or (windows, samples, axes + magnitudes), float32,
    whose new axes are named after those they are made of: `magnitude_x_y_z`. Error against numpy in
    float64: 2e-7 of the largest magnitude, which must lie between 1e-15 and 1e15.

    `fit` raises BlockError for an empty group, an axis that is not there or is twice in a group, and
    two equal groups.
    """

    def __init__(self, groups: Sequence[Sequence[int]] | None = None, append: bool = False) -> None:
        self.groups = groups
        self.append = append

    def learn(self, x: NDArray[Any]) -> None:
        axes = x.shape[2]
        check_flag("Magnitude: append", self.append)
        given: Any = self.groups
        groups = [tuple(listed(group)) for group in listed(given)]
        if given is None:
            groups = [tuple(range(axes))]
        valid = all(
            group and all(is_whole(at, 0, axes - 1) for at in group) and len(set(group)) == len(group)
            for group in groups
        )
        if not groups or not valid or len(set(groups)) < len(groups):
            raise BlockError(
                f"Magnitude: groups: expected different groups of axes, each axis from 0 to {axes - 1} "
                f"and once in a group, as in ((0, 1, 2),); found {given!r}."
            )
        self.groups_ = tuple(tuple(map(int, group)) for group in groups)

    def compute(self, x: Array) -> Array:
        parts = [x] if self.append else []
        for group in self.groups_:
            taken = x if group == tuple(range(self.input_shape_[1])) else np.take(x, group, axis=2)
            parts.append(ops.norm(taken, axis=2, keepdims=True))
        return np.concatenate(parts, axis=2) if len(parts) > 1 else parts[0]

    def names(self, inputs: list[str]) -> list[str]:
        made = ["_".join(["magnitude", *(inputs[at] for at in group)]) for group in self.groups_]
        return [*inputs, *made] if self.append else made


class Flatten(Block):
    """Windows (windows, samples, axes) or images (images, height, width, channels) as features.

    Answer: (n, k) float32, in the order of np.reshape: all axes of the first sample, then of the
    second; all channels of the first pixel of the first row. Exact. Named `axis0_at3`, and
    `channel0_at2_5` for row 2, column 5.
    """

    reads = "arrays"

    def compute(self, x: Array) -> Array:
        return x.reshape(-1, int(np.prod(self.input_shape_)))

    def names(self, inputs: list[str]) -> list[str]:
        places = np.ndindex(self.input_shape_[:-1])
        return [f"{name}_at{'_'.join(map(str, place))}" for place in places for name in inputs]
