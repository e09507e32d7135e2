"""Explicit feature maps of kernels: `sklearn.kernel_approximation` without Nystroem."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.kernel_approximation import (
    AdditiveChi2Sampler,
    PolynomialCountSketch,
    RBFSampler,
    SkewedChi2Sampler,
)

from converter.lowering.registry import Array, refuse, transforms

_INTERVALS = {1: 0.8, 2: 0.5, 3: 0.4}  # Vedaldi and Zisserman 2011, figure 2 c), as scikit-learn


@transforms(RBFSampler)
def rbf_sampler(step: Any, x: Array) -> Array:
    """sqrt(2 / k) cos(x · weights + offset)."""
    return _cosines(step, x, np.sqrt(2.0 / step.n_components))


@transforms(SkewedChi2Sampler)
def skewed_chi2_sampler(step: Any, x: Array) -> Array:
    """The same of log(x + skewedness)."""
    refuse(np.any(x <= -step.skewedness, axis=1), "SkewedChi2Sampler: a number below -skewedness")
    return _cosines(step, np.log(x + step.skewedness), np.sqrt(2.0) / np.sqrt(step.n_components))


def _cosines(step: Any, x: Array, scale: float) -> Array:
    weights = step.random_weights_.astype(np.float64)
    # cos 2a = 1 - 2 sin² a: a cosine of float64 costs two sines on a device.
    sine = np.sin((x @ weights + step.random_offset_.astype(np.float64)) * 0.5)
    return scale - sine * sine * (2.0 * scale)


@transforms(AdditiveChi2Sampler, reads="given")
def additive_chi2_sampler(step: Any, x: Array) -> Array:
    """sqrt(x L), then sqrt(2 x L / cosh(pi j L)) times cos and sin of j L log(x); 0 at 0.

    L is the sample interval and j = 1, 2, ... below sample_steps. In the dtype given, as scikit-learn:
    of whole numbers only the whole part is left.
    """
    given_dtype, x = x.dtype, x.astype(np.float64)
    refuse(np.any(x < 0.0, axis=1), "AdditiveChi2Sampler: a number below 0")
    given = step.sample_interval
    interval = float(_INTERVALS[step.sample_steps] if given is None else given)
    is_zero = x == 0.0
    logarithm = interval * np.log(np.where(is_zero, 1.0, x))
    parts = [np.sqrt(x * interval)]
    for j in range(1, step.sample_steps):
        factor = np.sqrt(2.0 * interval / np.cosh(np.pi * j * interval) * x)
        parts += [factor * np.cos(j * logarithm), factor * np.sin(j * logarithm)]
    return np.concatenate(parts, axis=1).astype(given_dtype)


@transforms(PolynomialCountSketch)
def polynomial_count_sketch(step: Any, x: Array) -> Array:
    """The circular convolution of `degree` count sketches of sqrt(gamma) x (and sqrt(coef0)).

    A sketch and its Fourier transform are both linear, so one matrix a degree does both; the product of
    the transforms goes back by the inverse transform's real and imaginary matrices. Of a real signal
    the first half of the frequencies says all.
    """
    size = step.n_components
    transforms_of = [_sketched(step, x, degree) for degree in range(step.degree)]
    real, imaginary = transforms_of[0]
    for theirs_real, theirs_imaginary in transforms_of[1:]:
        real, imaginary = (
            real * theirs_real - imaginary * theirs_imaginary,
            real * theirs_imaginary + imaginary * theirs_real,
        )
    back = np.fft.irfft(np.eye(size // 2 + 1), n=size, axis=1)
    back_imaginary = np.fft.irfft(1j * np.eye(size // 2 + 1), n=size, axis=1)
    return real @ back + imaginary @ back_imaginary


def _sketched(step: Any, x: Array, degree: int) -> tuple[Array, Array]:
    """Real and imaginary part of one sketch's transform; (n, n_components // 2 + 1)."""
    matrix: NDArray[np.float64] = np.zeros((step.indexHash_.shape[1], step.n_components))
    matrix[np.arange(len(matrix)), step.indexHash_[degree]] = step.bitHash_[degree]
    changed = np.fft.rfft(matrix, axis=1)
    weights, constant = np.sqrt(step.gamma) * changed[: x.shape[1]], np.zeros(changed.shape[1])
    if step.coef0 != 0:  # its sketch is of one more feature, the last
        constant = np.sqrt(step.coef0) * changed[-1]
    return x @ weights.real.copy() + constant.real, x @ weights.imag.copy() + constant.imag
