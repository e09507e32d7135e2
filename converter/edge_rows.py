"""Inputs nobody recorded: where a conversion that looks right on data goes wrong."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.inputs import Rows, is_missing

Splits = tuple[NDArray[np.int64], NDArray[np.float64]]

_MAX_TEMPLATES = 16
_MAX_SPLITS = 2_000
_HUGE = (1e15, 1e38)
_UNSEEN = "never seen in training"
_MAX_UNSEEN = 256


def edge_rows(rows: Rows, splits: Splits, *, exact: bool) -> Rows:
    """Rows like `rows`: zeros, tiny, larger than any real one, on and beside thresholds, unseen texts.

    splits: (feature, threshold) of trees that read the rows themselves. exact: whether the variant
    promises the source's leaves, so that magnitudes up to float32's largest are fair too. Where
    `rows` have missing values, so do some edge rows. Some may be refused by the source model.
    """
    templates = rows.take(np.unique(np.linspace(0, len(rows) - 1, _MAX_TEMPLATES).astype(int)))
    made = [_numbers(templates.take(slice(1)), number) for number in (0.0, 1.0, -1.0)]
    made += [_scaled(templates, factor) for factor in (10.0, 1e-30)]
    if exact:
        made += [_numbers(templates.take(slice(1)), sign * size) for sign in (-1, 1) for size in _HUGE]
    if len(splits[0]):
        made.append(_beside(templates, *splits))
    made += _with_missing(rows, templates)
    edge = templates.take(slice(0)).joined(made)
    return edge.take(~_infinite(edge))


def _numbers(templates: Rows, number: float) -> Rows:
    """Every number the same, within its dtype; texts and bools as they are."""

    def filled(array: NDArray[Any]) -> NDArray[Any]:
        if array.dtype.kind == "f":
            return np.full_like(array, number)
        limits = np.iinfo(array.dtype)
        return np.full_like(array, max(limits.min, min(limits.max, int(number))))

    return _changed(templates, filled)


def _scaled(templates: Rows, factor: float) -> Rows:
    with np.errstate(over="ignore"):
        return templates.changed(lambda array: (array * array.dtype.type(factor)).astype(array.dtype))


def _changed(templates: Rows, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Rows:
    arrays = {
        name: change(array) if array.dtype.kind in "iuf" else array
        for name, array in templates.arrays.items()
    }
    return replace(templates, arrays=arrays)


def _infinite(rows: Rows) -> NDArray[np.bool_]:
    found = np.zeros(len(rows), dtype=np.bool_)
    for array in rows.arrays.values():
        if array.dtype.kind == "f":
            found |= np.isinf(array).reshape(len(array), -1).any(axis=1)
    return found


def _beside(templates: Rows, features: NDArray[np.int64], thresholds: NDArray[np.float64]) -> Rows:
    """Real rows with one feature on a threshold, and one ulp above it."""
    reachable = np.flatnonzero(np.isfinite(thresholds))
    if len(reachable) == 0:
        return templates.take(slice(0))
    chosen = reachable[np.unique(np.linspace(0, len(reachable) - 1, _MAX_SPLITS).astype(int))]
    features, thresholds = features[chosen], thresholds[chosen]
    made = templates.take(np.arange(2 * len(chosen)) % len(templates))
    for feature in np.unique(features):
        column = list(made.arrays.values())[feature] if made.is_table else made.array[:, feature]
        if column.dtype.kind != "f":
            continue
        at = np.flatnonzero(features == feature)
        with np.errstate(over="ignore"):  # above the largest lies infinity, which is left out later
            on = thresholds[at].astype(column.dtype)
            column[at], column[at + len(chosen)] = on, np.nextafter(on, column.dtype.type(np.inf))
    return made


def unseen_rows(rows: Rows) -> Rows:
    """Real rows, each with one column (of an array: all) holding what no training data holds.

    Where a column's values are categories, the source either has an answer for others or refuses them.
    """
    templates = rows.take(np.unique(np.linspace(0, len(rows) - 1, _MAX_TEMPLATES).astype(int)))
    made: list[Rows] = []
    for name in list(rows.arrays)[:_MAX_UNSEEN]:
        one = templates.take([len(made) % len(templates)])
        made.append(replace(one, arrays={**one.arrays, name: _unseen(one.arrays[name])}))
    return templates.take(slice(0)).joined(made)


def _unseen(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind == "O":
        return np.full_like(array, _UNSEEN)
    if array.dtype.kind == "f":
        moved: NDArray[Any] = (array + array.dtype.type(0.3725)).astype(array.dtype)
        return moved
    return np.full_like(array, np.iinfo(array.dtype).max) if array.dtype.kind in "iu" else array


def _with_missing(rows: Rows, templates: Rows) -> list[Rows]:
    """Where `rows` have missing values: each template with a third of those missing, and with all."""
    gaps = {name for name, array in rows.arrays.items() if is_missing(array).any()}
    if not gaps:
        return []
    some, every = dict(templates.arrays), dict(templates.arrays)
    for at, name in enumerate(sorted(gaps)):
        array = templates.arrays[name]
        nothing = None if array.dtype.kind == "O" else np.nan
        every[name] = np.full_like(array, nothing)
        some[name] = array.copy()
        if rows.is_table:
            some[name][at % 3 :: 3] = nothing
        else:
            some[name].reshape(len(array), -1)[:, ::3] = nothing
    return [replace(templates, arrays=some), replace(templates, arrays=every)]
