"""Gaussian mixtures: each component's log density with its log weight."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

from converter.lowering.distances import centre, squared_distances
from converter.lowering.labels import largest, softmax
from converter.lowering.registry import Array, Scores, classifies

_Numbers = NDArray[np.float64]


@classifies(GaussianMixture)
def gaussian_mixture(model: GaussianMixture, x: Array) -> Scores:
    """log weight + log |precision|^½ - ½ (x - μ)ᵀ precision (x - μ), the same constants left out."""
    with np.errstate(divide="ignore"):  # a weight of 0 is a component that is never chosen
        weights = np.log(np.asarray(model.weights_, dtype=np.float64))
    return _by_component(model, x, weights)


@classifies(BayesianGaussianMixture)
def bayesian_mixture(model: BayesianGaussianMixture, x: Array) -> Scores:
    """The same with expectations over weights and precisions, as `_estimate_log_prob` has them."""
    freedom = np.asarray(model.degrees_of_freedom_, dtype=np.float64)
    features = model.means_.shape[1]
    halves = 0.5 * (freedom - np.arange(features)[:, None])
    log_lambda = features * np.log(2.0) + digamma(halves).sum(axis=0)
    expected = 0.5 * (log_lambda - features / np.asarray(model.mean_precision_))
    weights = np.asarray(model._estimate_log_weights(), dtype=np.float64)
    return _by_component(model, x, weights + expected - 0.5 * features * np.log(freedom))


def _by_component(model: Any, x: Array, log_weights: _Numbers) -> Scores:
    root = np.asarray(model.precisions_cholesky_, dtype=np.float64)
    means = np.asarray(model.means_, dtype=np.float64)
    kind = model.covariance_type
    joint = -0.5 * _distances(x, means, root, kind) + (log_weights + _log_determinant(root, means, kind))
    return Scores(largest(joint), softmax(joint))


def _distances(x: Array, means: _Numbers, root: _Numbers, kind: str) -> Array:
    """(n, components): (x - μ)ᵀ precision (x - μ), around the means' mean so that little cancels."""
    if kind == "tied":
        return squared_distances((x - means[0]) @ root, (means - means[0]) @ root)
    middle = centre(means)
    x, means = x - middle, means - middle
    if kind == "full":
        count, features = means.shape
        # All components' products are one: (features, components * features).
        side_by_side = np.concatenate(list(root), axis=1)
        offsets = np.concatenate([mean @ own for mean, own in zip(means, root, strict=True)])
        whitened = (x @ side_by_side - offsets).reshape((-1, count, features))
        return np.sum(whitened * whitened, axis=2)
    precisions = root**2 if kind == "diag" else np.repeat(root[:, None] ** 2, means.shape[1], axis=1)
    crossed = x @ np.ascontiguousarray(-2.0 * (means * precisions).T)
    squares = (x * x) @ np.ascontiguousarray(precisions.T)
    return squares + crossed + (means * means * precisions).sum(axis=1)


def _log_determinant(root: _Numbers, means: _Numbers, kind: str) -> _Numbers:
    """log |precision|^½, one a component, or one for all."""
    logs: _Numbers
    if kind == "full":
        logs = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    elif kind == "tied":
        logs = np.log(np.diagonal(root)).sum(keepdims=True)
    elif kind == "diag":
        logs = np.log(root).sum(axis=1)
    else:
        logs = means.shape[1] * np.log(root)
    return logs
