"""Clusterers that can place new rows: the nearest of their points.

Labels are indices into `cluster_labels`. Distances are taken around the points' mean, where the
expansion loses nothing that matters; of points at the same distance the first is nearest,
as in scikit-learn.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import (
    AffinityPropagation,
    Birch,
    BisectingKMeans,
    KMeans,
    MeanShift,
    MiniBatchKMeans,
)

from converter.lowering.distances import centre, dense, squared_distances
from converter.lowering.labels import largest, smallest
from converter.lowering.registry import Array, Scores, classifies, transforms
from converter.tracing import ops
from edge_runtime.errors import UnsupportedModelError


def cluster_labels(model: Any) -> NDArray[np.int64]:
    """The labels that `predict` can give, ascending; a lowering's label is an index into them.

    model: a clusterer of this module, or a mixture, whose components are numbered.
    """
    if isinstance(model, Birch):
        return np.unique(model.subcluster_labels_).astype(np.int64)
    if isinstance(model, AffinityPropagation) and not len(_exemplars(model)):
        return np.array([-1])  # what it answers when it did not converge
    means = getattr(model, "means_", None)
    return np.arange((model.cluster_centers_ if means is None else means).shape[0])


@classifies(KMeans, MiniBatchKMeans, MeanShift)
def nearest_centre(model: Any, x: Array) -> Scores:
    """The cluster of the nearest centre."""
    return Scores(_nearest(x, dense(model.cluster_centers_)))


@transforms(KMeans, MiniBatchKMeans, BisectingKMeans)
def centre_distances(model: Any, x: Array) -> Array:
    """(n, clusters): the distance to every centre."""
    return np.sqrt(squared_distances(x, dense(model.cluster_centers_)))


@classifies(AffinityPropagation)
def nearest_exemplar(model: AffinityPropagation, x: Array) -> Scores:
    """The cluster of the nearest exemplar. Raises UnsupportedModelError where rows are affinities."""
    exemplars = _exemplars(model)
    if not len(exemplars):
        return Scores(np.zeros_like(x[:, 0]).astype(np.int64))
    return Scores(_nearest(x, exemplars))


def _exemplars(model: AffinityPropagation) -> NDArray[np.float64]:
    if not hasattr(model, "cluster_centers_"):
        raise UnsupportedModelError(
            "AffinityPropagation with affinity='precomputed' cannot place new rows: fit it with "
            "affinity='euclidean'."
        )
    return dense(model.cluster_centers_)


@classifies(Birch)
def birch(model: Birch, x: Array) -> Scores:
    """The cluster to which the nearest subcluster belongs."""
    index = np.searchsorted(cluster_labels(model), model.subcluster_labels_).astype(np.int64)
    return Scores(ops.take(index, _nearest(x, dense(model.subcluster_centers_)), axis=0))


@transforms(Birch)
def birch_distances(model: Birch, x: Array) -> Array:
    """(n, subclusters): the distance to every subcluster's centre."""
    return np.sqrt(squared_distances(x, dense(model.subcluster_centers_)))


@classifies(BisectingKMeans)
def bisecting(model: BisectingKMeans, x: Array) -> Scores:
    """Down the tree of bisections, to the nearer of two centres each time; all nodes at once.

    A row goes left where |x - l|² <= |x - r|², a linear rule. A leaf is reached where the rules on its
    way all hold, and there is exactly one such leaf.
    """
    tree = model._bisecting_tree
    if tree.left is None:
        return Scores(np.zeros_like(x[:, 0]).astype(np.int64))
    inner: list[tuple[Any, Any]] = []
    ways: dict[int, list[tuple[int, bool]]] = {}
    _walk(tree, [], inner, ways)
    shift = getattr(model, "_X_mean", 0.0)
    left = np.array([node.center for node, _ in inner], dtype=np.float64) + shift
    right = np.array([node.center for _, node in inner], dtype=np.float64) + shift
    middle = centre(np.concatenate([left, right]))
    left, right = left - middle, right - middle
    gap = (x - middle) @ np.ascontiguousarray(2.0 * (right - left).T) + (left**2 - right**2).sum(axis=1)
    # A rule counts 0 where a leaf's way keeps it and -1 where not, so that the leaf reached has 0.
    weights, constant = np.zeros((len(inner), len(ways))), np.zeros(len(ways))
    for label, way in ways.items():
        for node, goes_left in way:
            weights[node, label] = 1.0 if goes_left else -1.0
            constant[label] -= goes_left
    return Scores(largest((gap <= 0).astype(np.float64) @ weights + constant))


def _walk(
    node: Any, way: list[tuple[int, bool]], inner: list[tuple[Any, Any]], ways: dict[int, Any]
) -> None:
    """Number the inner nodes, keep their children, and each leaf's way from the root by its label."""
    if node.left is None:
        ways[int(node.label)] = way
        return
    number = len(inner)
    inner.append((node.left, node.right))
    _walk(node.left, [*way, (number, True)], inner, ways)
    _walk(node.right, [*way, (number, False)], inner, ways)


def _nearest(x: Array, points: NDArray[np.float64]) -> Array:
    """int64 (n,): the index of the nearest point. |x|², the same for all, is left out."""
    middle = centre(points)
    points = points - middle
    crossed = (x - middle) @ np.ascontiguousarray(-2.0 * points.T)
    return smallest(crossed + (points * points).sum(axis=1))
