"""Transformers that keep some columns, or pool columns that go together."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import FeatureAgglomeration
from sklearn.feature_selection import (
    RFE,
    RFECV,
    GenericUnivariateSelect,
    SelectFdr,
    SelectFpr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
)

from converter.lowering.registry import Array, transforms
from converter.lowering.table import Table
from edge_runtime.errors import UnsupportedModelError

_POOLS: dict[Any, Any] = {
    np.max: np.max,
    np.amax: np.max,
    np.min: np.min,
    np.amin: np.min,
    np.median: np.median,
}


@transforms(
    GenericUnivariateSelect,
    RFE,
    RFECV,
    SelectFdr,
    SelectFpr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
    reads="table",
)
def selector(step: Any, x: Table) -> Table:
    """The columns of `get_support`, each in its own dtype."""
    kept = step.get_support(indices=True).tolist()
    if not kept:
        raise UnsupportedModelError(
            f"{type(step).__name__} cannot be converted: it keeps none of the {x.width} columns. Make "
            "it less strict, or leave the step out."
        )
    return x.take(kept)


@transforms(FeatureAgglomeration, reads="given")
def feature_agglomeration(step: FeatureAgglomeration, x: Array) -> Array:
    """Each cluster of columns pooled into one; means in float64, as scikit-learn's."""
    if step.pooling_func is np.mean:
        members = np.eye(int(step.labels_.max()) + 1)[step.labels_]
        return x.astype(np.float64) @ members / members.sum(axis=0)
    try:
        pool = _POOLS.get(step.pooling_func)
    except TypeError:  # a callable without a hash
        pool = None
    if pool is None:
        raise UnsupportedModelError(
            f"FeatureAgglomeration with pooling_func={step.pooling_func!r} cannot be converted: known "
            "are numpy.mean, numpy.max, numpy.min and numpy.median. Use one of these."
        )
    columns = [pool(x[:, _members(step.labels_, label)], axis=1) for label in np.unique(step.labels_)]
    return np.stack(columns, axis=1)


def _members(labels: NDArray[Any], label: int) -> NDArray[np.int64]:
    return np.flatnonzero(labels == label)
