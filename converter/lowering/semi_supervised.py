"""Label propagation: the distributions of labels around a row. Self-training holds another estimator."""

from typing import Any

import numpy as np
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

from converter.lowering.distances import dense, squared_distances
from converter.lowering.kernels import rbf
from converter.lowering.labels import largest
from converter.lowering.neighbours import nearest_index
from converter.lowering.registry import Array, Scores, classifies
from converter.tracing import ops
from edge_runtime.errors import UnsupportedModelError


@classifies(LabelPropagation, LabelSpreading, reads="given")
def propagation(model: Any, x: Array) -> Scores:
    """The training rows' label distributions, weighed by the kernel, or those of the neighbours.

    Where every weight is 0, far from all training rows, scikit-learn's probabilities are not numbers
    either. How far that is depends on the dtype, so x keeps its own. Raises UnsupportedModelError for a
    kernel of the author's own.
    """
    distributions = np.asarray(model.label_distributions_, dtype=np.float64)
    if model.kernel == "rbf":
        likely = _kernel(model, x) @ distributions
    elif model.kernel == "knn":
        index = nearest_index(model.nn_fit, x.astype(np.float64), model.n_neighbors)
        likely = np.sum(ops.take(distributions, index, axis=0), axis=1)
    else:
        raise UnsupportedModelError(
            f"{type(model).__name__} with a function as kernel cannot be converted: use 'rbf' or 'knn'."
        )
    probabilities = likely / np.sum(likely, axis=1, keepdims=True)
    return Scores(largest(probabilities), probabilities)


def _kernel(model: Any, x: Array) -> Array:
    """`sklearn.metrics.pairwise.rbf_kernel` as float64 (n, m).

    Of two float32 arrays it takes distances in float64, rounds them, and goes on in float32, whose
    exponential is 0 from 104 on.
    """
    points = dense(model.X_)
    if x.dtype != np.float32 or model.X_.dtype != np.float32:
        return rbf(x.astype(np.float64), points, model.gamma)
    squares = squared_distances(x.astype(np.float64), points).astype(np.float32)
    return np.exp(squares * np.float32(-model.gamma)).astype(np.float64)
