"""Where numbers lie among the sorted keys of their own columns, for all columns in one search."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from converter.tracing import ops

Array = Any


def places(x: Array, keys: Sequence[Any], side: Literal["left", "right"]) -> Array:
    """np.searchsorted(keys[i], x[:, i], side) for every column i of x (n, columns), int64 alike.

    A binary search in step, about log2 of the most keys: a graph grows with neither keys nor columns.
    NaN lies before all keys.
    """
    depth = max(len(each) for each in keys).bit_length()
    size = 2**depth - 1
    padded = np.full((len(keys), size), np.nan)  # compares as false, so that nothing lies behind it
    for row, each in zip(padded, keys, strict=True):
        row[: len(each)] = each
    flat = np.append(np.nan, padded)
    starts = np.arange(len(keys)) * size
    x = x.astype(np.float64)
    at: Array = starts
    for level in reversed(range(depth)):
        after = at + 2**level
        key = ops.take(flat, after)
        at = np.where(key < x if side == "left" else key <= x, after, at)
    return at - starts if depth else np.zeros_like(x, dtype=np.int64)


def taken(tables: NDArray[Any], place: Array) -> Array:
    """tables[i, place[:, i]] for every column i, of tables (columns, size) or (columns, size, m)."""
    columns, size = tables.shape[:2]
    flat = tables.reshape(columns * size, *tables.shape[2:])
    found: Array = ops.take(flat, place + np.arange(columns) * size, axis=0)
    return found
