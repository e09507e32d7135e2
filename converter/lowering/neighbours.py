"""What a row's nearest training rows say of it.

Which of several training rows at the same distance are the nearest is not defined: scikit-learn's trees
and its brute force disagree on that, and each with itself when the training rows are reordered. Here
it is those of the lowest index.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    KNeighborsTransformer,
    NearestCentroid,
    NeighborhoodComponentsAnalysis,
)

from converter.lowering.distances import Metric, comparable, dense, distance, metric_of, order
from converter.lowering.labels import largest, several, smallest, softmax
from converter.lowering.registry import Array, Scores, classifies, regresses, transforms
from converter.tracing import ops
from converter.tracing.ops import top_k
from edge_runtime.errors import UnsupportedModelError

_SPARE = 4  # candidates beyond k: points that differ by less than an expansion sees change places


def nearest(model: Any, x: Array, k: int) -> tuple[Array, Array]:
    """Distances (n, k), ascending, and int64 indices (n, k) of a fitted `NeighborsBase`'s nearest rows.

    Euclidean distances are those of differences: a row that is a training row is at distance 0.
    """
    points, metric = dense(model._fit_X), fitted_metric(model)
    if metric.kind != "euclidean":
        found, index = top_k(comparable(x, points, metric), k)
        return distance(found, metric), index
    _, candidates = top_k(order(x, points, metric), min(k + _SPARE, len(points)))
    difference = x[:, None, :] - ops.take(points, candidates, axis=0)
    found, place = top_k(np.sum(difference * difference, axis=2), k)
    return distance(found, metric), np.take_along_axis(candidates, place, axis=1)


def nearest_index(model: Any, x: Array, k: int) -> Array:
    """The indices of `nearest`, when the distances do not matter.

    Where scikit-learn's own distances are expansions, there is nothing to gain from exact ones.
    """
    if model._fit_method != "brute":
        return nearest(model, x, k)[1]
    return top_k(order(x, dense(model._fit_X), fitted_metric(model)), k)[1]


def fitted_metric(model: Any) -> Metric:
    """The distance a fitted `NeighborsBase` uses. Raises UnsupportedModelError."""
    return metric_of(model, model.effective_metric_, model.effective_metric_params_)


def is_weighted(model: Any) -> bool:
    """Whether near neighbours count more. Raises UnsupportedModelError for weights by a function."""
    if model.weights in (None, "uniform", "distance"):
        return bool(model.weights == "distance")
    raise UnsupportedModelError(
        f"{type(model).__name__} with weights by a function cannot be converted: use 'uniform' or "
        "'distance'."
    )


def inverse(distances: Array) -> Array:
    """1 / distance; in a row with distances of 0, 1 for those and 0 for the others."""
    weights = 1.0 / distances
    infinite = np.isinf(weights)
    return np.where(np.any(infinite, axis=1, keepdims=True), infinite.astype(np.float64), weights)


def one_hot(classes: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Class indices (m,) as rows of 0 and 1 (m, count)."""
    return np.eye(count)[classes]


def labels_of(model: Any) -> list[NDArray[np.float64]]:
    """The training rows' classes, one matrix (m, classes) of 0 and 1 for every label."""
    classes = model.classes_ if model.outputs_2d_ else [model.classes_]
    columns = np.reshape(model._y, (len(model._y), -1)).T
    return [one_hot(own, len(names)) for own, names in zip(columns, classes, strict=True)]


@classifies(KNeighborsClassifier)
def classification(model: Any, x: Array) -> Scores:
    """The neighbours' votes, of which the first largest wins."""
    weights = None
    if is_weighted(model):
        found, index = nearest(model, x, model.n_neighbors)
        weights = inverse(found)
    else:
        index = nearest_index(model, x, model.n_neighbors)
    members = [_votes(own, index, weights) for own in labels_of(model)]
    return several(members) if model.outputs_2d_ else members[0]


def _votes(classes: NDArray[np.float64], index: Array, weights: Array | None) -> Scores:
    """classes (m, c), index and weights (n, k)."""
    ballots = ops.take(classes, index, axis=0)
    if weights is None:
        shares = np.mean(ballots, axis=1)
        return Scores(largest(shares), shares)
    votes = np.sum(ballots * weights[:, :, None], axis=1)
    return Scores(largest(votes), votes / np.sum(weights, axis=1, keepdims=True))


@regresses(KNeighborsRegressor)
def regression(model: Any, x: Array) -> Array:
    """The neighbours' mean, weighted where the model is."""
    targets = np.asarray(model._y, dtype=np.float64)
    if not is_weighted(model):
        return np.mean(ops.take(targets, nearest_index(model, x, model.n_neighbors), axis=0), axis=1)
    found, index = nearest(model, x, model.n_neighbors)
    weights, near = inverse(found), ops.take(targets, index, axis=0)
    if targets.ndim == 2:
        weights = weights[:, :, None]
    return np.sum(near * weights, axis=1) / np.sum(weights, axis=1)


@transforms(KNeighborsTransformer)
def graph(step: Any, x: Array) -> Array:
    """Distances (one neighbour more than asked for) or ones at the neighbours, 0 elsewhere; (n, m)."""
    columns = np.arange(len(step._fit_X))
    by_distance = step.mode == "distance"
    k = step.n_neighbors + by_distance
    found, index = nearest(step, x, k)
    total: Array = 0.0
    for at in range(k):  # one after another: (n, k, m) would be large
        is_here = index[:, at : at + 1] == columns
        total = total + np.where(is_here, found[:, at : at + 1] if by_distance else 1.0, 0.0)
    return total


@classifies(NearestCentroid)
def nearest_centroid(model: Any, x: Array) -> Scores:
    """The nearest centroid; with unequal priors the largest discriminant score (ESL, eq. 18.2).

    Scores are -|x - centroid|² + 2 log prior, in units of the standard deviation within classes.
    """
    metric = metric_of(model, model.metric, None)
    spread = np.where(model.within_class_std_dev_ == 0.0, 1.0, model.within_class_std_dev_)
    distances = distance(comparable(x / spread, model.centroids_ / spread, metric), metric)
    with np.errstate(divide="ignore"):
        scores = 2.0 * np.log(model.class_prior_) - distances * distances
    if np.allclose(model.class_prior_, 1 / len(model.classes_), rtol=1e-5, atol=1e-8):
        label = smallest(comparable(x, dense(model.centroids_), metric))
    else:
        label = largest(scores)
    if model.metric != "euclidean":
        return Scores(label)
    decision = scores[:, 1] - scores[:, 0] if len(model.classes_) == 2 else scores
    return Scores(label, softmax(scores), decision)


@transforms(NeighborhoodComponentsAnalysis)
def components(step: Any, x: Array) -> Array:
    """x · componentsᵀ."""
    return x @ np.ascontiguousarray(step.components_.T, dtype=np.float64)
