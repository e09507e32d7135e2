"""Blocks of windows in the time domain against numpy and scipy in float64."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import signal, stats

from converter.blocks import (
    Autocorrelation,
    Detrend,
    Difference,
    Flatten,
    Magnitude,
    Percentiles,
    Resample,
    Statistics,
    ZeroCrossings,
)
from tests.converter.blocks.cases import Case, noise

# Of each statistic: who knows it, and the error that the docstring allows.
_STATISTICS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str, float]] = {
    "mean": (lambda x: x.mean(1), "numpy", 2e-6),
    "std": (lambda x: x.std(1), "numpy", 2e-6),
    "var": (lambda x: x.var(1), "numpy", 4e-6),
    "rms": (lambda x: np.sqrt((x**2).mean(1)), "numpy", 2e-6),
    "min": (lambda x: x.min(1), "numpy", 0.0),
    "max": (lambda x: x.max(1), "numpy", 0.0),
    "range": (lambda x: np.ptp(x, 1), "numpy", 1e-7),
    "median": (lambda x: np.median(x, 1), "numpy", 2e-7),
    "iqr": (lambda x: stats.iqr(x, axis=1), "scipy", 2e-7),
    "mean_absolute": (lambda x: np.abs(x).mean(1), "numpy", 2e-6),
    "mean_absolute_deviation": (
        lambda x: np.abs(x - x.mean(1, keepdims=True)).mean(1), "numpy", 4e-6,
    ),
    "median_absolute_deviation": (
        lambda x: stats.median_abs_deviation(x, axis=1), "scipy", 1e-6,
    ),
    "skewness": (lambda x: stats.skew(x, axis=1), "scipy", 2e-5),
    "kurtosis": (lambda x: stats.kurtosis(x, axis=1), "scipy", 1e-5),
    "energy": (lambda x: (x**2).sum(1), "numpy", 2e-6),
}  # fmt: skip


def _in_float64(function: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], np.ndarray]:
    """A reference that is given the windows in float64, and whose answer is made features."""

    def reference(windows: np.ndarray) -> np.ndarray:
        return np.asarray(function(windows.astype(np.float64)), np.float64)

    return reference


def _percentiles(*percentiles: float) -> Callable[[np.ndarray], np.ndarray]:
    return _in_float64(
        lambda x: np.moveaxis(np.percentile(x, percentiles, axis=1), 0, 1).reshape(len(x), -1)
    )


def _crossings(x: np.ndarray) -> np.ndarray:
    return np.diff(x >= 0, axis=1).sum(1)


def _autocorrelation(*lags: int) -> Callable[[np.ndarray], np.ndarray]:
    def reference(x: np.ndarray) -> np.ndarray:
        away = x - x.mean(1, keepdims=True)
        answer = [
            [np.correlate(away[i, :, a], away[i, :, a], "full") for a in range(x.shape[2])]
            for i in range(len(x))
        ]
        whole = np.array(answer)[:, :, x.shape[1] - 1 :]  # lags from 0 up
        chosen = (whole / whole[:, :, :1])[:, :, list(lags)]
        return chosen.transpose(0, 2, 1).reshape(len(x), -1)

    return _in_float64(reference)


def _linear(length: int) -> Callable[[np.ndarray], np.ndarray]:
    def along(samples: np.ndarray) -> np.ndarray:
        return np.interp(np.linspace(0, len(samples) - 1, length), np.arange(len(samples)), samples)

    return _in_float64(lambda x: np.apply_along_axis(along, 1, x))


def _norm(*groups: tuple[int, ...], keep: bool = False) -> Callable[[np.ndarray], np.ndarray]:
    def reference(x: np.ndarray) -> np.ndarray:
        made = np.stack([np.linalg.norm(x[:, :, list(group)], axis=2) for group in groups], axis=2)
        return np.concatenate([x, made], axis=2) if keep else made

    return _in_float64(reference)


def _leaning(length: int, axes: int) -> Callable[[int], np.ndarray]:
    """Windows whose samples lie further above the mean than below it."""
    windows = noise(length, axes)
    return lambda count: np.exp(windows(count) / 8)


def _statistics() -> Iterator[Case]:
    for name, (reference, library, bound) in _STATISTICS.items():
        inputs = _leaning if name == "skewness" else noise
        for length in (100, 4096):
            yield Case(
                f"Statistics {name} of {length}", Statistics((name,)), inputs(length, 6),
                _in_float64(reference), library, bound,
            )  # fmt: skip


CASES = (
    *_statistics(),
    Case("Percentiles of 100", Percentiles(), noise(100, 6), _percentiles(5, 25, 50, 75, 95),
         "numpy", 1.2e-7),
    Case("Percentiles of 1001", Percentiles((0, 99.9, 100)), noise(1001, 3), _percentiles(0, 99.9, 100),
         "numpy", 1.2e-7),
    Case("Percentiles where samples are", Percentiles((10, 50)), noise(101, 3), _percentiles(10, 50),
         "numpy", 0.0),
    Case("ZeroCrossings", ZeroCrossings(), noise(200, 6), _in_float64(_crossings), "numpy", 0.0),
    Case("ZeroCrossings centred", ZeroCrossings(centre=True), noise(200, 6),
         _in_float64(lambda x: _crossings(x - x.mean(1, keepdims=True))), "numpy", 0.0),
    Case("ZeroCrossings rate", ZeroCrossings(give="rate"), noise(333, 3),
         _in_float64(lambda x: _crossings(x) / 333), "numpy", 1e-7),
    Case("Autocorrelation of 100", Autocorrelation(), noise(100, 6), _autocorrelation(*range(1, 11)),
         "numpy", 1e-6),
    Case("Autocorrelation of 256 at 50 lags", Autocorrelation(50), noise(256, 3),
         _autocorrelation(*range(1, 51)), "numpy", 2e-6),
    Case("Autocorrelation of 4096", Autocorrelation((0, 1, 64, 4095)), noise(4096, 2),
         _autocorrelation(0, 1, 64, 4095), "numpy", 5e-6),
    Case("Detrend linear", Detrend(), noise(100, 6), _in_float64(lambda x: signal.detrend(x, 1)),
         "scipy", 1e-6),
    Case("Detrend linear of 4096", Detrend(), noise(4096, 3),
         _in_float64(lambda x: signal.detrend(x, 1)), "scipy", 1e-6),
    Case("Detrend constant", Detrend("constant"), noise(100, 6),
         _in_float64(lambda x: signal.detrend(x, 1, type="constant")), "scipy", 1e-6),
    Case("Difference", Difference(), noise(100, 6), _in_float64(lambda x: np.diff(x, axis=1)),
         "numpy", 1e-7),
    Case("Difference twice", Difference(2), noise(100, 3), _in_float64(lambda x: np.diff(x, 2, axis=1)),
         "numpy", 2e-7),
    Case("Resample linear down", Resample(64), noise(100, 6), _linear(64), "numpy", 1.2e-7),
    Case("Resample linear up", Resample(1000), noise(333, 3), _linear(1000), "numpy", 1.2e-7),
    Case("Resample fourier down", Resample(64, "fourier"), noise(100, 6),
         _in_float64(lambda x: signal.resample(x, 64, axis=1)), "scipy", 3e-6),
    Case("Resample fourier up", Resample(2048, "fourier"), noise(1001, 3),
         _in_float64(lambda x: signal.resample(x, 2048, axis=1)), "scipy", 3e-6),
    Case("Magnitude", Magnitude(), noise(100, 3), _norm((0, 1, 2)), "numpy", 2e-7),
    Case("Magnitude of two groups", Magnitude(((0, 1, 2), (3, 4, 5)), append=True), noise(100, 6),
         _norm((0, 1, 2), (3, 4, 5), keep=True), "numpy", 2e-7),
    Case("Flatten windows", Flatten(), noise(50, 3), _in_float64(lambda x: x.reshape(len(x), -1)),
         "numpy", 0.0),
)  # fmt: skip
