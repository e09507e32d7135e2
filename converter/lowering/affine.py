"""Steps of scikit-learn that are one affine map, or a choice of columns, in standard operators."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import FeatureAgglomeration
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical, PLSRegression
from sklearn.decomposition import FactorAnalysis, FastICA, MiniBatchSparsePCA, SparsePCA
from sklearn.feature_selection import SequentialFeatureSelector
from sklearn.random_projection import SparseRandomProjection

from converter.graph import Graph

# Exactly these: a subclass may compute otherwise.
_AFFINE = {
    CCA, FactorAnalysis, FastICA, MiniBatchSparsePCA, PLSCanonical, PLSRegression, PLSSVD, SparsePCA,
    SparseRandomProjection,
}  # fmt: skip
_AFFINE_MODELS = {CCA, PLSCanonical}
_Map = Callable[[NDArray[np.float64]], Any]


def add_affine_step(graph: Graph, rows: str, step: Any) -> str:
    """Add a transformer of these kinds, reading `n_features_in_` columns; "" for any other."""
    if type(step) is SequentialFeatureSelector:
        return graph.node("Gather", rows, graph.constant(step.get_support(indices=True)), axis=1)
    averages = type(step) is FeatureAgglomeration and step.pooling_func is np.mean
    if type(step) in _AFFINE or averages:
        return _add_map(graph, rows, step, step.transform)
    return ""


def add_affine_model(graph: Graph, rows: str, model: Any) -> str:
    """Add a regressor of these kinds; "" for any other."""
    return _add_map(graph, rows, model, model.predict) if type(model) in _AFFINE_MODELS else ""


def _add_map(graph: Graph, rows: str, step: Any, compute: _Map) -> str:
    """`compute` is asked in float64 about a centre and one step from it along each feature.

    The centre is the training data's where the step knows it: numbers far from zero lose no digits
    when it is taken off first.
    """
    count = int(step.n_features_in_)
    known = getattr(step, "mean_", getattr(step, "_x_mean", None))
    # What the graph takes off is float32, so that is where the map is asked.
    centre = np.zeros(count) if known is None else np.asarray(known, np.float32).astype(np.float64)
    answers = _dense(compute(np.vstack([centre, centre + np.eye(count)])))
    matrix, offset = answers[1:] - answers[0], answers[0]
    if centre.any():
        rows = graph.node("Sub", rows, graph.constant(centre.astype(np.float32)))
    product = graph.node("MatMul", rows, graph.constant(matrix.astype(np.float32)))
    if not offset.any():
        return product
    return graph.node("Add", product, graph.constant(offset.astype(np.float32)))


def _dense(answers: Any) -> NDArray[np.float64]:
    dense = answers.toarray() if hasattr(answers, "toarray") else answers
    found = np.asarray(dense, dtype=np.float64)
    return found[:, None] if found.ndim == 1 else found
