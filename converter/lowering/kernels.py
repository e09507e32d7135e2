"""Kernels between rows and constant points, and the models that are a kernel times a matrix."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import KernelPCA
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.preprocessing import KernelCenterer

from converter.lowering.distances import Points, added, centre, dense, unit
from converter.lowering.registry import Array, refuse, regresses, transforms
from edge_runtime.errors import UnsupportedModelError

KERNELS = (
    "linear", "poly", "polynomial", "rbf", "sigmoid", "laplacian", "cosine", "chi2", "additive_chi2",
    "precomputed",
)  # fmt: skip


def kernel(
    owner: Any, x: Array, points: Points, name: Any, *, gamma: float | None, degree: float, coef0: float
) -> Array:
    """`sklearn.metrics.pairwise.pairwise_kernels` of x (n, features), points (m, features); (n, m).

    gamma: None is one over the number of features, as there; for chi2 it is 1. Raises
    UnsupportedModelError, in the owner's name, for a kernel without a closed form.
    """
    if not isinstance(name, str) or name not in KERNELS:
        raise UnsupportedModelError(
            f"{type(owner).__name__} with the kernel {name!r} cannot be converted: known are "
            f"{', '.join(KERNELS)}. Use one of these."
        )
    if name == "precomputed":
        return x
    if name == "cosine":
        return unit(x) @ _columns(unit(points))
    if name in ("chi2", "additive_chi2"):
        refuse(np.any(x < 0.0, axis=1), f"{type(owner).__name__}: a number below 0 in a chi2 kernel")
        found = -added(x, points, _chi2)
        return found if name == "additive_chi2" else np.exp((1.0 if gamma is None else gamma) * found)
    if name == "linear":
        return x @ _columns(points)
    scale = 1.0 / points.shape[1] if gamma is None else float(gamma)
    if name == "rbf":
        return rbf(x, points, scale)
    if name == "laplacian":
        return np.exp(added(x, points, lambda own, theirs: np.abs(own - theirs)) * -scale)
    inner = x @ _columns(scale * points) + coef0
    return np.tanh(inner) if name == "sigmoid" else whole_power(inner, degree)


def rbf(x: Array, points: Points, gamma: float) -> Array:
    """exp(-gamma |x - p|²), by expansion around the points' centre (see `centre`); (n, m)."""
    middle = centre(points)
    x, points = x - middle, points - middle
    crossed = x @ _columns(2.0 * gamma * points) - gamma * (points * points).sum(axis=1)
    return np.exp(crossed - gamma * np.sum(x * x, axis=1, keepdims=True))


def whole_power(base: Array, degree: float) -> Array:
    """base ** degree, by products where the degree is a small whole number: a power costs far more."""
    if degree not in range(1, 9):
        return base**degree
    result, square, left = None, base, int(degree)
    while left:
        if left % 2:
            result = square if result is None else result * square
        left //= 2
        square = square * square if left else square
    return result


def _columns(points: Points) -> Points:
    return np.ascontiguousarray(points.T)


def _chi2(own: Array, theirs: Points) -> Array:
    """(x - p)² / (x + p), 0 where both are 0."""
    difference, total = own - theirs, own + theirs
    return difference * difference / np.where(total == 0.0, 1.0, total)


def parameters(model: Any, gamma: float | None) -> dict[str, Any]:
    """A model's kernel by its constructor's names; its gamma as fitted."""
    return {"gamma": gamma, "degree": model.degree, "coef0": model.coef0}


@regresses(KernelRidge)
def kernel_ridge(model: Any, x: Array) -> Array:
    """k(x, X_fit) · dual_coef."""
    points = dense(model.X_fit_)
    return kernel(model, x, points, model.kernel, **parameters(model, model.gamma)) @ model.dual_coef_


@transforms(Nystroem)
def nystroem(step: Any, x: Array) -> Array:
    """k(x, components) · normalizationᵀ."""
    given = {"gamma": None, "degree": 3, "coef0": 1, **(step.kernel_params or {})}
    for name in ("gamma", "degree", "coef0"):
        if getattr(step, name) is not None:
            given[name] = getattr(step, name)
    if step.kernel == "precomputed" and x.shape[1] != len(step.components_):
        raise UnsupportedModelError(
            "Nystroem of a precomputed kernel cannot be converted unless it keeps every training row."
        )
    if set(given) != {"gamma", "degree", "coef0"}:
        raise UnsupportedModelError(f"Nystroem with kernel_params {sorted(given)} cannot be converted.")
    return kernel(step, x, dense(step.components_), step.kernel, **given) @ step.normalization_.T


@transforms(KernelCenterer)
def kernel_centerer(step: Any, x: Array) -> Array:
    """The kernel (n, m) less its row means, the fitted column means, plus the fitted mean."""
    return x - np.mean(x, axis=1, keepdims=True) - (step.K_fit_rows_ - step.K_fit_all_)


@transforms(KernelPCA)
def kernel_pca(step: Any, x: Array) -> Array:
    """The centred kernel of x and the training rows, times the scaled eigenvectors."""
    given = parameters(step, step.gamma_)
    return project(step, kernel(step, x, dense(step.X_fit_), step.kernel, **given))


def project(step: Any, k: Array) -> Array:
    """A fitted KernelPCA's components of a kernel (n, m); (n, components).

    Centring is linear, so it is done to the matrix beforehand: taking a row's mean off the row is
    taking every column's mean off the matrix.
    """
    scaled: NDArray[np.float64] = np.zeros_like(step.eigenvectors_, dtype=np.float64)
    used = np.flatnonzero(step.eigenvalues_)
    scaled[:, used] = step.eigenvectors_[:, used] / np.sqrt(step.eigenvalues_[used])
    offset = (step._centerer.K_fit_all_ - step._centerer.K_fit_rows_) @ scaled
    return k @ (scaled - scaled.mean(axis=0)) + offset
