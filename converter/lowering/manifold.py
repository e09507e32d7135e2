"""Manifolds that place new rows: by distances along the training rows, or by weights of neighbours."""

from typing import Any

import numpy as np
from sklearn.manifold import Isomap, LocallyLinearEmbedding

from converter.lowering.distances import dense
from converter.lowering.kernels import project
from converter.lowering.neighbours import nearest, nearest_index
from converter.lowering.registry import Array, transforms
from converter.tracing import ops
from edge_runtime.errors import UnsupportedModelError


@transforms(Isomap)
def isomap(step: Any, x: Array) -> Array:
    """KernelPCA of -½ d², d the shortest way to each training row through one of the neighbours."""
    if step.n_neighbors is None:
        raise UnsupportedModelError(
            "Isomap of a radius cannot be converted: only n_neighbors is. Fit it with n_neighbors."
        )
    found, index = nearest(step.nbrs_, x, step.n_neighbors)
    ways = np.asarray(step.dist_matrix_, dtype=np.float64)
    shortest = ops.take(ways, index[:, 0], axis=0) + found[:, :1]
    for at in range(1, step.n_neighbors):  # one after another: (n, neighbours, m) would be large
        shortest = np.minimum(shortest, ops.take(ways, index[:, at], axis=0) + found[:, at : at + 1])
    return project(step.kernel_pca_, shortest * shortest * -0.5)


@transforms(LocallyLinearEmbedding)
def locally_linear(step: Any, x: Array) -> Array:
    """The neighbours' embeddings, by the weights that make the row of its neighbours.

    `sklearn.manifold._locally_linear.barycenter_weights`: (C Cᵀ + r I) w = 1, C the differences to the
    neighbours, r a share of the trace.
    """
    k = step.n_neighbors
    index = nearest_index(step.nbrs_, x, k)
    difference = ops.take(dense(step.nbrs_._fit_X), index, axis=0) - x[:, None, :]
    squares = np.sum(difference * difference, axis=2)
    trace = np.sum(squares, axis=1, keepdims=True)[:, :, None]
    ridge = np.where(trace > 0.0, step.reg * trace, step.reg)
    # A product with a transposed matrix is fused by ONNX Runtime 1.23 into one it has in float32 only.
    gram = np.sum(difference[:, :, None, :] * difference[:, None, :, :], axis=3) + ridge * np.eye(k)
    weights = _solved(gram, k)
    weights = weights / np.sum(weights, axis=1, keepdims=True)
    return np.sum(ops.take(step.embedding_, index, axis=0) * weights, axis=1)


def _solved(matrices: Array, k: int) -> Array:
    """A⁻¹ 1 for positive definite matrices (n, k, k); (n, k, 1).

    Gauss and Jordan's elimination, without pivots as such matrices need none: a step takes from every
    row so much of the pivot's row that its column becomes a unit vector's. It is a matrix product, as
    of single sums and products TensorRT-RTX 1.7 makes one kernel, ten times the size for each step.
    """
    table = np.concatenate([matrices, np.ones_like(matrices[:, :, :1])], axis=2)
    same = np.eye(k)
    for at in range(k):
        column = table[:, :, at : at + 1]
        share = (column - same[:, at : at + 1]) / column[:, at : at + 1]
        table = (same - share * same[at]) @ table
    return table[:, :, k:]
