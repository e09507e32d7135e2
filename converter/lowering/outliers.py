"""Outlier detectors: a label 0 is an anomaly, 1 is normal."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import SGDOneClassSVM
from sklearn.neighbors import LocalOutlierFactor

from converter.lowering.linear import linear
from converter.lowering.neighbours import nearest
from converter.lowering.registry import Array, Scores, classifies
from converter.lowering.trees import Forest, join, sum_of_leaves
from converter.tracing import ops
from edge_runtime.errors import UnsupportedModelError

# The threshold of an IsolationForest is often a training row's own score, and such a row must not fall
# to the other side for the order in which the trees were added.
_ROUNDING = 1e-12


@classifies(EllipticEnvelope)
def elliptic_envelope(model: EllipticEnvelope, x: Array) -> Scores:
    """The threshold minus the squared Mahalanobis distance (x - μ)ᵀ precision (x - μ)."""
    away = x - np.asarray(model.location_, dtype=np.float64)
    squared = np.sum((away @ np.asarray(model.get_precision(), dtype=np.float64)) * away, axis=1)
    return _by_sign(-squared - float(model.offset_))


@classifies(SGDOneClassSVM)
def one_class_linear(model: SGDOneClassSVM, x: Array) -> Scores:
    """The signed distance to a hyperplane."""
    return _by_sign(linear(x, np.ravel(model.coef_), -float(np.ravel(model.offset_)[0])))


@classifies(IsolationForest)
def isolation_forest(model: IsolationForest, x: Array) -> Scores:
    """-2^(-depth / expected depth) - offset, with the average depth at which the trees isolate a row."""
    forest = _depths(model)
    parts = _in_float32_parts(forest.values, forest.n_trees)
    # Three float32 sums that are exact together: the operator's output is float32.
    found = sum_of_leaves(replace(forest, values=parts), x.astype(np.float32)).astype(np.float64)
    depth = np.sum(found, axis=1)
    expected = forest.n_trees * float(_average_path_length(np.array([model._max_samples]))[0])
    # Trees of one row have no depth: scikit-learn calls that an average one.
    share = depth / expected if expected else np.ones_like(depth)
    decided = -(2.0**-share) - float(model.offset_)
    return Scores((decided >= -_ROUNDING).astype(np.int64), None, decided)


@classifies(LocalOutlierFactor)
def local_outlier_factor(model: LocalOutlierFactor, x: Array) -> Scores:
    """How dense the training rows around a row are, against how dense it is there itself.

    Raises UnsupportedModelError for a model of its training rows only.
    """
    if not model.novelty:
        raise UnsupportedModelError(
            "LocalOutlierFactor with novelty=False judges its training rows only: fit it "
            "with novelty=True."
        )
    count = int(model.n_neighbors_)
    distances, index = nearest(model, x, count)
    reach = np.maximum(distances, ops.take(model._distances_fit_X_[:, count - 1], index, axis=0))
    density = 1.0 / (np.mean(reach, axis=1, keepdims=True) + 1e-10)
    factors = ops.take(model._lrd, index, axis=0) / density
    return _by_sign(-np.mean(factors, axis=1) - float(model.offset_))


def _by_sign(decided: Array) -> Scores:
    return Scores((decided >= 0).astype(np.int64), None, decided)


def _depths(model: IsolationForest) -> Forest:
    """All trees on the model's features; a leaf's value is its depth and what its rows would add."""
    trees = [member.tree_ for member in model.estimators_]
    # Depths count nodes, from 1 at the root.
    values = [
        tree.compute_node_depths() - 1.0 + _average_path_length(tree.n_node_samples) for tree in trees
    ]
    count = int(model.n_features_in_)
    forest = join(trees, np.concatenate(values)[:, None], count)
    if model._max_features == count:  # then the trees see all, whatever was drawn
        return forest
    seen = np.stack([np.asarray(features, np.int64) for features in model.estimators_features_])
    own = seen[forest.tree, np.where(forest.inner, forest.feature, 0)]
    return replace(forest, feature=np.where(forest.inner, own, forest.feature))


def _average_path_length(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Of an unsuccessful search in a binary tree of so many rows (Liu, Ting, Zhou 2008, eq. 1)."""
    count = np.maximum(rows, 3).astype(np.float64)
    long = 2.0 * (np.log(count - 1.0) + np.euler_gamma) - 2.0 * (count - 1.0) / count
    return np.where(rows <= 1, 0.0, np.where(rows == 2, 1.0, long))


def _in_float32_parts(values: NDArray[np.float64], n_trees: int) -> NDArray[np.float64]:
    """(nodes, 1) as (nodes, 3), whose sums over the trees are exact in float32 but for the last.

    Each part is a multiple of a power of two that 24 bits count up to the sum.
    """
    parts, rest = [], values[:, 0]
    for _ in range(2):
        largest = float(np.abs(rest).max()) * n_trees
        step = 2.0 ** (np.ceil(np.log2(largest)) - 22) if largest else 1.0
        parts.append(np.rint(rest / step) * step)
        rest = rest - parts[-1]
    return np.stack([*parts, rest], axis=1)
