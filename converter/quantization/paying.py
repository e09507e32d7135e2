"""Does a variant pay? Its time beside the fp32 variant's, measured on this machine, and its size.

A variant is kept if it is at least 10 % faster, or at least 30 % smaller and at most 1.1 times slower.
"""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

FASTER, SMALLER, SLOWER = 0.9, 0.7, 1.1
_ROUNDS = 24
_ROUND_S = 0.01
_WARM_UP_S = 0.02


def pays(time_ratio: float, size_ratio: float) -> bool:
    """Whether a variant is worth its place; both ratios are over the fp32 variant's."""
    return time_ratio <= FASTER or (size_ratio <= SMALLER and time_ratio <= SLOWER)


def supersedes(other: tuple[float, float], own: tuple[float, float]) -> bool:
    """Whether one variant makes another needless; both are (time, size) ratios over the fp32 variant's.

    It does where it is no larger and pays beside it.
    """
    time_ratio, size_ratio = other[0] / own[0], other[1] / own[1]
    return size_ratio <= 1 and time_ratio <= SLOWER and pays(time_ratio, size_ratio)


def time_ratios(
    ask: Mapping[str, Callable[[Any], object]], rows: Sequence[Any], *, over: str
) -> dict[str, float]:
    """The time of one row of each, over the time of `over`: below 1 is faster.

    Rounds of 10 ms by turns, rows rotating, so that whatever else the machine does hits all alike; a
    round's median is compared with the same round of `over`, and of those ratios the median counts.
    """
    medians: dict[str, list[float]] = {name: [] for name in ask}
    for name in ask:
        _median_of_round(ask[name], rows, _WARM_UP_S)
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(_ROUNDS):
            for name in ask:
                medians[name].append(_median_of_round(ask[name], rows, _ROUND_S))
    finally:
        if was_collecting:
            gc.enable()
    first = np.array(medians[over])
    return {name: float(np.median(np.array(found) / first)) for name, found in medians.items()}


def _median_of_round(ask: Callable[[Any], object], rows: Sequence[Any], seconds: float) -> float:
    """Nanoseconds of one row; at least three are asked, however long that takes."""
    clock = time.perf_counter_ns
    taken: list[int] = []
    end = clock() + int(seconds * 1e9)
    while len(taken) < 3 or clock() < end:
        row = rows[len(taken) % len(rows)]
        started = clock()
        ask(row)
        taken.append(clock() - started)
    return float(np.median(taken))
