"""How long one row takes, of several models side by side.

Turns: a machine that is busy for a moment, or slows down as it warms, is so for all of them.
"""

import gc
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.engine.base import Values

_TURNS = 24
_TURN_NS = 12_000_000
_ROWS_A_TURN = 3

Predict = Callable[[Any], object]
Asked = tuple[Predict, Sequence[Values]]


def one_row_us(models: Sequence[Asked]) -> list[float]:
    """The median time of one row of each model, in microseconds.

    models: what answers a row, and rows to ask about, each a batch of one. Each is asked in 24 turns of
        12 ms, or of three rows where these take longer.
    """
    found: list[float] = np.median(_turns(models), axis=0).tolist()
    return found


def time_ratios(models: Sequence[Asked]) -> list[float]:
    """The time of one row of each model over the first one's: below 1 is faster. Asked as above.

    A turn is compared with the first model's turn beside it, and of those ratios the median counts.
    """
    medians = _turns(models)
    found: list[float] = np.median(medians / medians[:, :1], axis=0).tolist()
    return found


def _turns(models: Sequence[Asked]) -> NDArray[np.float64]:
    """Microseconds of one row, the median of each turn: (turns, models)."""
    rotating = [(predict, cycle(rows)) for predict, rows in models]
    medians = np.empty((_TURNS, len(models)))
    was_collecting = gc.isenabled()
    gc.disable()  # a collection would be one model's alone
    try:
        for turn in range(_TURNS):
            for at, (predict, rows) in enumerate(rotating):
                predict(next(rows))  # not counted: the others have used the caches in between
                medians[turn, at] = np.median(_turn(predict, rows)) / 1000
    finally:
        if was_collecting:
            gc.enable()
    return medians


def _turn(predict: Predict, rows: "cycle[Values]") -> list[int]:
    clock = time.perf_counter_ns
    found: list[int] = []
    end = clock() + _TURN_NS
    while len(found) < _ROWS_A_TURN or clock() < end:
        row = next(rows)
        started = clock()
        predict(row)
        found.append(clock() - started)
    return found
