"""How long one row takes, of several models side by side.

Turns: a machine that is busy for a moment, or slows down as it warms, is so for all of them.
"""

import time
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from edge_runtime.engine.base import Values

_TURNS = 16
_TURN_NS = 20_000_000
_ROWS_A_TURN = 3

Predict = Callable[[Any], object]


def one_row_us(models: Sequence[tuple[Predict, Sequence[Values]]]) -> list[float]:
    """The median time of one row of each model, in microseconds.

    models: what answers a row, and rows to ask about, each a batch of one. Each is asked in sixteen
        turns of 20 ms, or of three rows where these take longer.
    """
    rotating = [(predict, cycle(rows)) for predict, rows in models]
    times: list[list[int]] = [[] for _ in models]
    for _ in range(_TURNS):
        for (predict, rows), found in zip(rotating, times, strict=True):
            predict(next(rows))  # not counted: the others have used the caches in between
            found.extend(_turn(predict, rows))
    return [float(np.median(found)) / 1000 for found in times]


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
