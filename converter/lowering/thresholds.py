"""The last float32 that goes left: thresholds for a tree that reads float32.

scikit-learn compares a float32 feature with a float64 threshold. No float32 lies between the two, so
rounding the threshold *down* to float32 decides every comparison as before. A scaler in front of a
tree is monotone in each feature, so "goes left" is still one interval of inputs: its last member is
found by bisection over the ordered float32 numbers, with the scaler's own arithmetic, and the scaler
disappears. See docs/adr/0005.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from converter.foreign import without_name_warnings

_MONOTONE = {MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler}
_LARGEST = np.finfo(np.float32).max
_MAX_CELLS = 1 << 22  # of one call to a scaler: 16 MiB of float32


def ordered(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Integers in the order of the given float32 numbers; neighbours differ by 1, both zeros are 0."""
    bits = values.astype(np.float32).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def from_ordered(keys: NDArray[np.int64]) -> NDArray[np.float32]:
    """The inverse of `ordered`."""
    return np.where(keys < 0, -keys | 0x80000000, keys).astype(np.uint32).view(np.float32)


def round_down(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 that is not above each value: x <= v exactly when x <= round_down(v)."""
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32)
    above = rounded.astype(np.float64) > values
    rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
    return rounded


def is_monotone(step: Any) -> bool:
    """Whether this is a scaler that never decreases in any feature: all scales finite and above 0."""
    if type(step) not in _MONOTONE:
        return False
    scale = step.scale_
    return scale is None or bool(np.all(np.isfinite(scale)) and np.all(scale > 0))


def fold(
    scalers: Sequence[Any],
    features: NDArray[np.int64],
    thresholds: NDArray[np.float64],
    n_features: int,
) -> NDArray[np.float32]:
    """Thresholds on the scalers' float32 input that decide as `thresholds` do on their output.

    Node i compares feature `features[i]`, scaled by all `scalers` in turn, with `thresholds[i]`. The
    result is -inf where no finite input goes left and +inf where all do.
    """
    if not scalers:
        return round_down(thresholds)
    pairs, where = np.unique(
        np.stack([features.astype(np.float64), thresholds], axis=1), axis=0, return_inverse=True
    )
    columns, limits = pairs[:, 0].astype(np.int64), pairs[:, 1]
    found = np.empty(len(pairs), dtype=np.float32)
    for rows, chosen in _packed(columns, n_features):
        found[chosen] = _search(scalers, n_features, rows, columns[chosen], limits[chosen])
    return found[where.reshape(-1)]


def _packed(
    columns: NDArray[np.int64], n_features: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Place sorted (column) searches side by side into rows, so that one call scales many of them.

    Returns groups of (row of each search, index of each search), each within the memory bound.
    """
    first = np.searchsorted(columns, columns, side="left")
    row = np.arange(len(columns)) - first
    height = max(1, _MAX_CELLS // max(1, n_features))
    groups = row // height
    return [
        (row[groups == group] - group * height, np.flatnonzero(groups == group))
        for group in range(math.ceil((int(row.max(initial=-1)) + 1) / height))
    ]


def _search(
    scalers: Sequence[Any],
    n_features: int,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    limits: NDArray[np.float64],
) -> NDArray[np.float32]:
    def goes_left(candidates: NDArray[np.float32]) -> NDArray[np.bool_]:
        table = np.zeros((int(rows.max()) + 1, n_features), dtype=np.float32)
        table[rows, columns] = candidates
        left: NDArray[np.bool_] = _scaled(scalers, table)[rows, columns] <= limits
        return left

    return last_left(goes_left, len(limits))


def last_left(
    goes_left: Callable[[NDArray[np.float32]], NDArray[np.bool_]], count: int
) -> NDArray[np.float32]:
    """For each of `count` monotone predicates, the largest finite float32 that satisfies it.

    `goes_left` tests one candidate each. +inf where every finite number does, -inf where none does.
    """
    largest = np.full(count, _LARGEST, dtype=np.float32)
    none, every = ~goes_left(-largest), goes_left(largest)
    low, high = ordered(-largest), ordered(largest)
    while np.any(high - low > 1):
        middle = (low + high) // 2
        left = goes_left(from_ordered(middle))
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    found = from_ordered(low)
    found[none], found[every] = -np.inf, np.inf
    return found


def _scaled(scalers: Sequence[Any], table: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the tree sees. An overflow between scalers is pulled back to the largest number: order is
    kept, and scikit-learn itself refuses such a row there. One after the last scaler stays."""
    with np.errstate(all="ignore"), without_name_warnings():
        for scaler in scalers:
            table = np.clip(table, -_LARGEST, _LARGEST)
            table = np.asarray(scaler.transform(table)).astype(np.float32)
    return table
