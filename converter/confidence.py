"""95 % confidence intervals of paired differences: two models asked about the very same inputs."""

from collections.abc import Callable
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.scores import NORMAL_975

_RESAMPLES = 1000
_NUMBERS_AT_ONCE = 1 << 22  # 32 MB of weights

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def paired_interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """Of the mean of (n,) differences, each from -1 to 1: what one model has right and the other not.

    The adjusted Wald interval of Agresti and Min (Statistics in Medicine 24, 2005, 729-740): half an
    input more in each of the four cells. It has a width when the two agree on every input.
    """
    count = len(differences) + 2
    mean = float(differences.sum()) / count
    variance = (float(np.square(differences).sum()) + 1) / count - mean**2
    reach = NORMAL_975 * sqrt(variance / count)
    return max(-1.0, mean - reach), min(1.0, mean + reach)


def bootstrap_interval(statistic: Statistic, count: int) -> tuple[float, float]:
    """Of any statistic of `count` inputs, by percentiles of 1,000 resamples, the same ones every time.

    statistic: maps weights (resamples, count), how often each input was drawn, to one number a resample.
    One that is not finite, as where all inputs drawn are the same, is left out; of none the interval is
    (-inf, inf). Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    random = np.random.default_rng(0)
    step = max(1, _NUMBERS_AT_ONCE // count)
    found = []
    for first in range(0, _RESAMPLES, step):
        times = min(step, _RESAMPLES - first)
        drawn = [np.bincount(random.integers(0, count, count), minlength=count) for _ in range(times)]
        found.append(statistic(np.stack(drawn).astype(np.float64)))
    numbers = np.concatenate(found)
    finite = numbers[np.isfinite(numbers)]
    if not finite.size:
        return -np.inf, np.inf
    low, high = np.percentile(finite, [2.5, 97.5])
    return float(low), float(high)
