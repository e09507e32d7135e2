"""The kernels of `sklearn.gaussian_process.kernels`, between rows and constant points."""

from typing import Any

import numpy as np
from sklearn.gaussian_process import kernels as known

from converter.lowering.distances import Points, added, squared_distances
from converter.lowering.kernels import KERNELS, kernel, rbf
from converter.lowering.registry import Array
from edge_runtime.errors import UnsupportedModelError


def covariance(owner: Any, function: Any, x: Array, points: Points) -> Array:
    """k(x, p) for rows x (n, features) and points (m, features); (n, m).

    Raises UnsupportedModelError, in the owner's name, for a kernel without a closed form.
    """
    found = _covariance(owner, function, x, points)
    if isinstance(found, float):
        return np.zeros_like(x[:, :1]) + np.full(len(points), found)
    return found


def variance(owner: Any, function: Any, x: Array) -> Array:
    """k(x, x); (n,), or a number where it is the same for every row. Raises as `covariance`."""
    kind = type(function)
    if kind is known.Sum:
        return variance(owner, function.k1, x) + variance(owner, function.k2, x)
    if kind is known.Product:
        return variance(owner, function.k1, x) * variance(owner, function.k2, x)
    if kind is known.Exponentiation:
        return variance(owner, function.kernel, x) ** function.exponent
    if kind is known.ConstantKernel:
        return float(function.constant_value)
    if kind is known.WhiteKernel:
        return float(function.noise_level)
    if kind is known.DotProduct:
        return np.sum(x * x, axis=1) + function.sigma_0**2
    if kind is known.PairwiseKernel and function.metric != "rbf":
        raise UnsupportedModelError(
            f"{type(owner).__name__} with PairwiseKernel({function.metric!r}) cannot be converted: its "
            "variance has no closed form here. Use RBF, Matern or DotProduct."
        )
    return 1.0  # the stationary ones


def _covariance(owner: Any, function: Any, x: Array, points: Points) -> Array:
    """The same; a float where it is one number for all."""
    kind = type(function)
    if kind is known.Sum:
        return _covariance(owner, function.k1, x, points) + _covariance(owner, function.k2, x, points)
    if kind is known.Product:
        return _covariance(owner, function.k1, x, points) * _covariance(owner, function.k2, x, points)
    if kind is known.Exponentiation:
        return _covariance(owner, function.kernel, x, points) ** function.exponent
    if kind is known.ConstantKernel:
        return float(function.constant_value)
    if kind is known.WhiteKernel:
        return 0.0  # noise is of the training rows, not shared with others even where they are equal
    if kind is known.DotProduct:
        return x @ np.ascontiguousarray(points.T) + function.sigma_0**2
    if kind is known.PairwiseKernel:
        return _pairwise(owner, function, x, points)
    if kind in (known.RBF, known.Matern):
        scale = 1.0 / np.asarray(function.length_scale, dtype=np.float64)
        return _scaled(owner, function, x * scale, points * scale)
    if kind is known.RationalQuadratic:
        squares = squared_distances(x, points)
        ratio = squares * (1.0 / (2.0 * function.alpha * function.length_scale**2))
        return (1.0 + ratio) ** -function.alpha
    if kind is known.ExpSineSquared:
        distances = np.sqrt(added(x, points, _square))
        wave = np.sin(np.pi / function.periodicity * distances) / function.length_scale
        return np.exp(-2.0 * wave * wave)
    raise UnsupportedModelError(
        f"{type(owner).__name__} with the kernel {kind.__name__} cannot be converted: only those of "
        "sklearn.gaussian_process.kernels that give one number for a pair of rows are known."
    )


def _scaled(owner: Any, function: Any, x: Array, points: Points) -> Array:
    """RBF and Matern kernels of rows and points in units of the length scale."""
    smooth = getattr(function, "nu", np.inf)
    if smooth == np.inf:
        return rbf(x, points, 0.5)
    if smooth == 0.5:  # its slope at distance 0 would show the cancellation of an expansion
        return np.exp(-np.sqrt(added(x, points, _square)))
    distances = np.sqrt(squared_distances(x, points))
    if smooth == 1.5:
        far = distances * np.sqrt(3.0)
        return (1.0 + far) * np.exp(-far)
    if smooth == 2.5:
        far = distances * np.sqrt(5.0)
        return (1.0 + far + far * far * (1.0 / 3.0)) * np.exp(-far)
    raise UnsupportedModelError(
        f"{type(owner).__name__} with Matern(nu={smooth}) cannot be converted: nu other than 0.5, "
        "1.5, 2.5 and infinity needs Bessel functions. Use one of these."
    )


def _pairwise(owner: Any, function: Any, x: Array, points: Points) -> Array:
    given = {"degree": 3, "coef0": 1, **(function.pairwise_kernels_kwargs or {})}
    if set(given) != {"degree", "coef0"} or function.metric not in KERNELS:
        raise UnsupportedModelError(
            f"{type(owner).__name__} with {function!r} cannot be converted: its metric or arguments are "
            "not known."
        )
    return kernel(owner, x, points, function.metric, gamma=function.gamma, **given)


def _square(own: Array, theirs: Points) -> Array:
    difference = own - theirs
    return difference * difference
