"""Gaussian processes: the posterior mean, and Laplace's approximation for classes.

Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, algorithms 2.1 and 3.2;
Williams and Barber, "Bayesian classification with Gaussian processes", 1998, appendix A.
"""

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import binom, erf, factorial
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process._gpc import COEFS, LAMBDAS

from converter.lowering.covariances import covariance, variance
from converter.lowering.distances import Points
from converter.lowering.labels import binary, largest
from converter.lowering.registry import Array, Scores, classifies, regresses
from converter.lowering.svm import one_against_rest
from edge_runtime.errors import UnsupportedModelError

_WIDTHS = 1.0 / np.ravel(LAMBDAS) ** 2
_MIDDLE = 0.5 * (_WIDTHS.min() + _WIDTHS.max())
_TERMS = 14  # what is left out is less than 1e-11
_NOTHING_LEFT = 80.0  # of exp(-t²), which times the series is less than 1e-18


def _series() -> NDArray[np.float64]:
    """What power n + 1 of 1 / (middle width + 2 spread) times power k of t² counts for, at [n, k]."""
    n, k = np.meshgrid(np.arange(_TERMS), np.arange(_TERMS), indexing="ij")
    laguerre = np.where(k <= n, (-1.0) ** k * binom(n + 0.5, n - k) / factorial(k), 0.0)
    apart = (_WIDTHS - _MIDDLE) ** (n[:, :1] + 1)
    moments: NDArray[np.float64] = (-1.0) ** n[:, 0] * (apart @ np.ravel(COEFS)) / (n[:, 0] + 1)
    return moments[:, None] * laguerre


_SERIES = _series()


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

    scikit-learn reads the function as a sum of five error functions; of each the expectation is
    erf(mean / sqrt(w + 2 spread)), with a width w of its own. Their coefficients of some thousands
    cancel, and with them all digits that float32 has. As the widths are near to each other, the sum is
    also one error function, of the middle width, and a series in powers of their distances from it:

        erf(t / sqrt(1 + d)) = erf(t) - t exp(-t²) / sqrt(pi) · sum (-d)^n d / (n + 1) · L_n(t²)

    from the generating function of the Laguerre polynomials L of order 1/2 (DLMF 18.12.13).
    """
    near = 1.0 / (_MIDDLE + 2.0 * spread)
    t = mean * np.sqrt(near)
    square = np.minimum(t * t, _NOTHING_LEFT)  # whose powers are finite in float32
    powers = near[..., None] ** np.arange(1.0, _TERMS + 1.0) @ _SERIES
    series = np.sum(powers * square[..., None] ** np.arange(float(_TERMS)), axis=-1)
    # apart from the rest the coefficients' sum, else far rows, all about 1/2, would lose their order
    total = COEFS.sum()
    apart = 0.5 * total * erf(t) - t * np.exp(-square) * (series * (0.5 / np.sqrt(np.pi)))
    return apart + 0.5 * total


def _points(model: Any) -> Points:
    return np.asarray(model.X_train_, dtype=np.float64)
