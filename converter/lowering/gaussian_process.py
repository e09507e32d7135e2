"""Gaussian processes: the posterior mean, and Laplace's approximation for classes.

Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, algorithms 2.1 and 3.2;
Williams and Barber, "Bayesian classification with Gaussian processes", 1998, appendix A.
"""

from itertools import combinations
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import erf
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process._gpc import COEFS, LAMBDAS

from converter.lowering.covariances import covariance, variance
from converter.lowering.distances import Points
from converter.lowering.labels import binary, largest
from converter.lowering.registry import Array, Scores, classifies, regresses
from converter.lowering.svm import one_against_rest
from edge_runtime.errors import UnsupportedModelError


@regresses(GaussianProcessRegressor)
def regression(model: Any, x: Array) -> Array:
    """k(x, X_train) · alpha, in the targets' units. Raises UnsupportedModelError for a prior."""
    if not hasattr(model, "X_train_"):
        raise UnsupportedModelError("GaussianProcessRegressor cannot be converted before it is fitted.")
    mean = covariance(model, model.kernel_, x, _points(model)) @ (model.alpha_ * model._y_train_std)
    mean = mean + model._y_train_mean
    return mean[:, 0] if mean.ndim == 2 and mean.shape[1] == 1 else mean


@classifies(GaussianProcessClassifier)
def classification(model: Any, x: Array) -> Scores:
    """One process for two classes; of more, one for each class or for each pair."""
    if model.n_classes_ == 2:
        mean, spread = _latent(model.base_estimator_, x)
        return binary(_probability(mean, spread), mean > 0.0)
    processes = [_latent(each, x) for each in model.base_estimator_.estimators_]
    mean, spread = (np.stack(part, axis=1) for part in zip(*processes, strict=True))
    likely = _probability(mean, spread)
    if model.multi_class == "one_vs_rest":
        total = np.sum(likely, axis=1, keepdims=True)
        return Scores(largest(likely), likely / np.where(total == 0.0, 1.0, total))
    pairs = list(combinations(range(model.n_classes_), 2))
    return Scores(largest(one_against_rest(mean <= 0.0, -likely, pairs)))


def _latent(model: Any, x: Array) -> tuple[Array, Array]:
    """Mean and variance, each (n,), of a binary process's latent function."""
    k = covariance(model, model.kernel_, x, _points(model))
    half = k @ solve_triangular(model.L_, np.diag(model.W_sr_), lower=True).T
    spread = variance(model, model.kernel_, x) - np.sum(half * half, axis=1)
    # as scikit-learn where it is none, for want of precision or because the kernel is no covariance
    return k @ (model.y_train_ - model.pi_), np.where(spread > 0.0, spread, np.nan)


def _probability(mean: Array, spread: Array) -> Array:
    """The logistic function's expectation under normal distributions, of any one shape.

    The function is read as five error functions, whose expectations are closed forms.
    """
    slopes = np.ravel(LAMBDAS)
    reach = np.sqrt(1.0 + spread[..., None] * (2.0 * slopes * slopes))
    # apart from the rest the coefficients' sum, else far rows, all about 1/2, would lose their order
    return erf(mean[..., None] * slopes / reach) @ (0.5 * np.ravel(COEFS)) + 0.5 * COEFS.sum()


def _points(model: Any) -> Points:
    return np.asarray(model.X_train_, dtype=np.float64)
