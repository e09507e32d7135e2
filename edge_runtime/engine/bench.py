"""Measure a loaded model on this machine: rows one by one, batches, memory, installed size."""

import math
import re
import resource
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from itertools import cycle
from typing import Any

import msgspec
import numpy as np

from edge_runtime.engine.base import Array, Values
from edge_runtime.engine.golden import rows_of
from edge_runtime.errors import InputError
from edge_runtime.process import peak_bytes

# One constant row flatters a forest two-fold, as the branches it takes are predicted; so rows rotate.
_ROWS, _ROWS_BYTES, _STEP_BYTES = 512, 32 << 20, 1 << 20
_FEWEST = 16
_BATCH = 256
_WARM_UP, _WARM_UP_S = 50, 1.0
_MAX_TIMES = 1 << 20
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Latency(msgspec.Struct, frozen=True):
    """One row at a time, validation included; percentiles in microseconds."""

    rows: int
    p50_us: float
    p90_us: float
    p99_us: float
    p99_9_us: float


def rotating_rows(golden: Values) -> list[Values]:
    """Different rows, each a batch of one: the golden ones and, of floats, points between two of them.

    Of a table, or several inputs, the floats are mixed; the others are those of the first of the two.
    Of large rows, such as images, there are fewer.
    """
    columns = {"": golden} if isinstance(golden, np.ndarray) else golden
    count = len(next(iter(columns.values())))
    rows = [_copy(row) for row in rows_of(golden)]
    if count > 1 and any(column.dtype.kind == "f" for column in columns.values()):
        row_bytes = max(1, bytes_of(rows[:1]))
        mixed = max(_FEWEST, min(_ROWS, _ROWS_BYTES // row_bytes))
        random = np.random.default_rng(0)
        first, second = (random.integers(0, count, mixed) for _ in range(2))
        share = random.random(mixed)
        step = max(1, _STEP_BYTES // row_bytes)  # what is computed at once, beside the rows
        for part in (slice(at, at + step) for at in range(0, mixed, step)):
            between = {
                name: _between(column[first[part]], column[second[part]], share[part])
                for name, column in columns.items()
            }
            made = between[""] if isinstance(golden, np.ndarray) else between
            rows += [_copy(row) for row in rows_of(made)]
    return rows


def bytes_of(rows: list[Values]) -> int:
    """What the arrays of rows take; the texts in them are not counted."""
    return sum(
        row.nbytes if isinstance(row, np.ndarray) else sum(column.nbytes for column in row.values())
        for row in rows
    )


def answered(
    predict: Callable[[Any], object], rows: list[Values], most_seconds: float = math.inf
) -> list[Values]:
    """The rows that the model does not refuse: a point between two that it takes may lie outside.

    Of a slow model, those that it has been asked within `most_seconds`, the golden ones first.
    """
    taken = []
    end = time.monotonic() + most_seconds
    for row in rows:
        with suppress(InputError):
            predict(row)
            taken.append(row)
        if taken and time.monotonic() >= end:
            break
    return taken


def _between(first: Array, second: Array, share: Array) -> Array:
    if first.dtype.kind != "f":
        return first
    parts = share.reshape(-1, *(1 for _ in first.shape[1:])).astype(first.dtype)
    between: Array = first + parts * (second - first)
    return between


def _copy(row: Values) -> Values:
    if isinstance(row, np.ndarray):
        return row.copy()
    return {name: column.copy() for name, column in row.items()}


def _joined(rows: list[Values]) -> Values:
    arrays = [row for row in rows if isinstance(row, np.ndarray)]
    if arrays:
        return np.concatenate(arrays)
    tables = [row for row in rows if not isinstance(row, np.ndarray)]
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def measure_rows(
    predict: Callable[[Any], object],
    rows: list[Values],
    seconds: float,
    *,
    fewest: int = 1,
    most_seconds: float = math.inf,
) -> Latency:
    """Call `predict` on one row after another for about `seconds`, after it has been warmed.

    At least `fewest` rows are measured, unless that takes more than `most_seconds`.
    """
    clock = time.perf_counter_ns
    times = array("q")
    warm = clock() + int(_WARM_UP_S * 1e9)
    for _, row in zip(range(_WARM_UP), cycle(rows), strict=False):
        predict(row)
        if clock() >= warm:
            break
    began = clock()
    count, end, last = 0, began + int(seconds * 1e9), began + most_seconds * 1e9
    for row in cycle(rows):
        started = clock()
        predict(row)
        finished = clock()
        times.append(finished - started)
        count += 1
        if (finished >= end and count >= fewest) or finished >= last or count == _MAX_TIMES:
            break
    p50, p90, p99, p99_9 = (float(v) / 1e3 for v in np.percentile(times, [50, 90, 99, 99.9]))
    return Latency(count, p50, p90, p99, p99_9)


def measure_batches(predict: Callable[[Any], object], rows: list[Values], seconds: float) -> float:
    """Rows a second in batches of 256, for about `seconds`."""
    chosen = [row for row, _ in zip(cycle(rows), range(_BATCH), strict=False)]
    batch = _joined(chosen)
    predict(batch)
    started, runs = time.perf_counter(), 0
    while True:
        predict(batch)
        runs += 1
        spent = time.perf_counter() - started
        if spent >= seconds:
            return runs * _BATCH / spent


def peak_memory_mb() -> float:
    """The most memory this process has had resident, in MB.

    The kernel's count for the program itself: that of getrusage(2) begins with its parent's.
    """
    return (peak_bytes() or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024) / 1e6


def installed_mb() -> dict[str, float]:
    """What a core installation takes on disk, in MB by distribution, dependencies included."""
    return {
        found.metadata["Name"]: sum(_size(found)) / 1e6 for found in _with_dependencies("edge-runtime")
    }


def _with_dependencies(name: str) -> Iterator[Distribution]:
    """A distribution and those it needs without extras, each once."""
    waiting, seen = [name], set()
    while waiting:
        current = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if current in seen:
            continue
        seen.add(current)
        try:
            found = distribution(current)
        except PackageNotFoundError:  # needed on other systems or Python versions only
            continue
        yield found
        for requirement in found.requires or ():
            match = _REQUIREMENT.match(requirement)
            if match and "extra ==" not in requirement:
                waiting.append(match[0])


def _size(found: Distribution) -> Iterator[int]:
    for file in found.files or ():
        try:
            yield file.locate().stat().st_size  # type: ignore[attr-defined]  # a Path at run time
        except OSError:
            continue
