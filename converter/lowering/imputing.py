"""Imputers: what stands in the place of a missing number or text.

Where a text is missing, a lowering sees MISSING_TEXT, be it None, NaN or pandas.NA to the source.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.impute._iterative import IterativeImputer  # public only once an author asks for it

from converter.lowering import registry
from converter.lowering.encoding import is_missing
from converter.lowering.registry import Array, refuse, transforms
from converter.lowering.scaling import as_floating
from converter.lowering.table import Table
from converter.tracing import ops
from edge_runtime.bundle.manifest import MISSING_TEXT
from edge_runtime.errors import UnsupportedModelError


def where_missing(step: Any, x: Array) -> Array:
    """Where x is what the step calls missing, bool; of texts None and NaN are one."""
    value = step.missing_values
    if x.dtype.kind not in "biuf":
        if not is_missing(value) and not isinstance(value, str):
            raise UnsupportedModelError(
                f"{type(step).__name__} with missing_values={value!r} cannot be converted for texts: "
                "expected a text, None or NaN."
            )
        return ops.lookup(x, [MISSING_TEXT if is_missing(value) else value]) == 0
    if not is_missing(value):
        return x == value
    return np.isnan(x) if x.dtype.kind == "f" else np.zeros_like(x, dtype=np.bool_)


@transforms(SimpleImputer, reads="table")
def simple_imputer(step: SimpleImputer, x: Table) -> Table:
    """One value a column; columns without one in training are left out. Then the indicator's columns."""
    if not x.is_text:
        numbers = x.matrix()
        if step.strategy not in ("most_frequent", "constant"):
            numbers = as_floating(numbers)
        x = Table((numbers,), x.names)
    blocks, missing, at = [], [], 0
    for block in x.blocks:
        width = int(block.shape[1])
        missing.append(where_missing(step, block))
        blocks += _filled(step, block, missing[-1], step.statistics_[at : at + width])
        at += width
    if not blocks:
        raise UnsupportedModelError(
            "SimpleImputer cannot be converted: every column was empty in training, and none is left. "
            "Set keep_empty_features=True, or leave the step out."
        )
    if step.add_indicator:
        blocks.append(_indicated(step, np.concatenate(missing, axis=1), blocks))
    return Table(tuple(blocks), _names(step, x.names) if x.names else ())


def _names(step: SimpleImputer, given: tuple[str, ...]) -> tuple[str, ...]:
    """As `get_feature_names_out` makes them, whatever the columns were called in training."""
    kept = tuple(given[at] for at in np.flatnonzero(_has_value(step, step.statistics_)))
    marked = step.indicator_.features_ if step.add_indicator else ()
    return kept + tuple(f"missingindicator_{given[at]}" for at in marked)


def _filled(step: SimpleImputer, x: Array, missing: Array, statistics: NDArray[Any]) -> list[Array]:
    """A block (n, width) with its columns' statistics in place, as no or one block."""
    kept = np.flatnonzero(_has_value(step, statistics))
    if not len(kept):
        return []
    if x.dtype.kind in "biuf":
        # To the dtype of training, then to that of the rows, as scikit-learn writes them.
        fills = statistics[kept].astype(getattr(step, "_fill_dtype", x.dtype)).astype(x.dtype)
    else:
        fills = _texts(statistics[kept])
    if len(kept) < len(statistics):
        x, missing = x[:, kept], missing[:, kept]
    return [np.where(missing, fills, x)]


def _has_value(step: SimpleImputer, statistics: NDArray[Any]) -> list[bool]:
    """Of each column, whether it stays: those that were empty in training may be left out."""
    empty = [isinstance(value, float | np.floating) and bool(np.isnan(value)) for value in statistics]
    return [step.keep_empty_features or not each for each in empty]


def _texts(statistics: NDArray[Any]) -> NDArray[np.object_]:
    fills = np.array([MISSING_TEXT if is_missing(value) else value for value in statistics], object)
    if wrong := [value for value in fills if not isinstance(value, str)]:
        raise UnsupportedModelError(
            f"SimpleImputer cannot be converted: it puts {wrong[0]!r} into a column of texts. Set "
            "fill_value to a text."
        )
    return fills


def _indicated(step: Any, missing: Array, blocks: list[Array]) -> Array:
    """The indicator's columns, beside numbers in their dtype, as numpy puts them side by side."""
    found = missing[:, step.indicator_.features_]
    numbers = [block.dtype for block in blocks if block.dtype.kind in "biuf"]
    return found.astype(np.result_type(*numbers)) if numbers else found


@transforms(MissingIndicator, reads="table")
def missing_indicator(step: MissingIndicator, x: Table) -> Array:
    """Whether a value is missing, bool, of the columns `features_`."""
    missing = np.concatenate([where_missing(step, block) for block in x.blocks], axis=1)
    others = np.setdiff1d(np.arange(x.width), step.features_)
    if step.error_on_new and len(others):
        new = np.any(missing[:, others], axis=1)
        refuse(new, "MissingIndicator: a value is missing in a column that lacked none in training")
    return missing[:, step.features_]


@transforms(KNNImputer, reads="given")
def knn_imputer(step: KNNImputer, x: Array) -> Array:
    """The mean of the nearest training rows that have the column, weighted as asked.

    Of rows at the same distance the first count; scikit-learn takes any of them.
    """
    if step.metric != "nan_euclidean" or step.weights not in (None, "uniform", "distance"):
        raise UnsupportedModelError(
            f"KNNImputer with metric={step.metric!r} and weights={step.weights!r} cannot be converted: "
            "use 'nan_euclidean', and 'uniform' or 'distance'."
        )
    x = as_floating(x)
    missing = where_missing(step, x)
    known = np.where(missing, 0.0, x).astype(np.float64)
    distances = _nan_euclidean(step, known, missing)
    columns = []
    for at in range(int(x.shape[1])):
        if step._valid_mask[at]:
            near = _from_neighbours(step, distances, at).astype(x.dtype)
            columns.append(np.where(missing[:, at], near, x[:, at]))
        elif step.keep_empty_features:
            columns.append(np.zeros_like(x[:, at]))
    made = np.stack(columns, axis=1)
    if step.add_indicator:
        return np.concatenate([made, _indicated(step, missing, [made])], axis=1)
    return made


def _nan_euclidean(step: KNNImputer, x: Array, missing: Array) -> Array:
    """Squared distances over what both have, for as many columns as there are; inf where that is none.

    By the expansion scikit-learn uses (sklearn.metrics.pairwise.nan_euclidean_distances); x is 0 where
    missing. Without the root, which changes no order.
    """
    gone = np.asarray(step._mask_fit_X, np.float64)
    points = np.where(step._mask_fit_X, 0.0, step._fit_X).astype(np.float64)
    lacking = missing.astype(np.float64)
    squares = points * points
    crossed = x @ np.ascontiguousarray(-2.0 * points.T) + squares.sum(axis=1)
    total = crossed + np.sum(x * x, axis=1, keepdims=True)
    total = total - (x * x) @ np.ascontiguousarray(gone.T) - lacking @ np.ascontiguousarray(squares.T)
    shared = (1.0 - lacking) @ np.ascontiguousarray(1.0 - gone.T)
    distances = np.maximum(total, 0.0) / np.maximum(shared, 1.0) * points.shape[1]
    return np.where(shared == 0.0, np.inf, distances)


def _from_neighbours(step: KNNImputer, distances: Array, at: int) -> Array:
    """Column `at` (n,) as its donors have it; their mean where none shares a column with the row."""
    donors = np.flatnonzero(~step._mask_fit_X[:, at])
    values = step._fit_X[donors, at].astype(np.float64)
    count = min(step.n_neighbors, len(donors))
    nearest, which = ops.top_k(distances[:, donors], count)
    reachable = np.isfinite(nearest)
    weights = reachable.astype(np.float64)
    if step.weights == "distance":
        weights = np.where(reachable, _inverse_distances(nearest), 0.0)
    total = np.sum(weights, axis=1)
    mean = np.sum(weights * ops.take(values, which), axis=1) / np.where(total == 0.0, 1.0, total)
    return np.where(reachable[:, 0], mean, values.mean())


def _inverse_distances(squared: Array) -> Array:
    """1 / distance; where some are 0, only those count."""
    zero = squared == 0.0
    inverse = 1.0 / np.sqrt(np.where(zero, 1.0, squared))
    return np.where(np.any(zero, axis=1, keepdims=True), zero.astype(np.float64), inverse)


@transforms(IterativeImputer, reads="given")
def iterative_imputer(step: IterativeImputer, x: Array) -> Array:
    """Column after column predicted from the others, in the order and as many rounds as in training.

    scikit-learn skips that if all rows of a call lack everything; here such a row is one of many.
    """
    if step.sample_posterior:
        raise UnsupportedModelError(
            "IterativeImputer with sample_posterior=True cannot be converted: it answers by chance. Set "
            "sample_posterior=False."
        )
    x = as_floating(x)
    lacking = where_missing(step, x)
    made = simple_imputer(step.initial_imputer_, Table((x,))).matrix()
    empty = np.zeros_like(step._is_empty_feature) if step.keep_empty_features else step._is_empty_feature
    missing = lacking[:, np.flatnonzero(~empty)] if empty.any() else lacking
    columns = [made[:, at] for at in range(int(made.shape[1]))]
    for at, others, estimator in step.imputation_sequence_:
        if step.keep_empty_features and step._is_empty_feature[at]:
            continue
        given = np.stack([columns[other] for other in others], axis=1)
        value = _bounded(registry.value(estimator, given), step._min_value[at], step._max_value[at])
        columns[at] = np.where(missing[:, at], value.astype(x.dtype), columns[at])
    made = np.stack(columns, axis=1)
    if step.add_indicator:
        return np.concatenate([made, _indicated(step, lacking, [made])], axis=1)
    return made


def _bounded(value: Array, low: float, high: float) -> Array:
    value = value[:, 0] if value.ndim == 2 else value
    value = value if np.isneginf(low) else np.maximum(value, low)
    return value if np.isposinf(high) else np.minimum(value, high)
