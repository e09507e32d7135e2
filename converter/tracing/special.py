"""Trigonometry and scipy.special in float64: ONNX Runtime has kernels for float32, or none."""

from typing import Any

import numpy as np
from scipy import special

from converter.tracing.elementwise import in_float64

_HALF_PI, _QUARTER_PI = np.pi / 2, np.pi / 4


def _polynomial(x: Any, coefficients: tuple[float, ...]) -> Any:
    """Horner's scheme, the highest power first."""
    total: Any = np.float64(coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total


# Cephes, atan.c: atan x = x + x z P(z) / Q(z), z = x², |x| < 0.66
_ATAN_P = (
    -8.750608600031904122785e-1, -1.615753718733365076637e1, -7.500855792314704667340e1,
    -1.228866684490136173410e2, -6.485021904942025371773e1,
)  # fmt: skip
_ATAN_Q = (
    1.0, 2.485846490142306297962e1, 1.650270098316988542046e2, 4.328810604912902668951e2,
    4.853903996359136964868e2, 1.945506571482613964425e2,
)  # fmt: skip
_MORE_BITS = 6.123233995736765886130e-17  # of pi / 2


@in_float64(np.arctan)
def _arctan(x: Any) -> Any:
    """Cephes: outside of |x| < 0.66 by atan x = pi/2 - atan 1/x and atan x = pi/4 + atan (x-1)/(x+1)."""
    size = np.abs(x)
    far, middle = size > 2.41421356237309504880, size > 0.66
    near = np.where(far, -1 / np.where(far, size, 1.0), np.where(middle, (size - 1) / (size + 1), size))
    z = near * near
    rest = near * (z * _polynomial(z, _ATAN_P) / _polynomial(z, _ATAN_Q)) + near
    rest = rest + np.where(far, _MORE_BITS, np.where(middle, 0.5 * _MORE_BITS, 0.0))
    return np.copysign(np.where(far, _HALF_PI, np.where(middle, _QUARTER_PI, 0.0)) + rest, x)


@in_float64(np.arctan2)
def _arctan2(y: Any, x: Any) -> Any:
    """The angle of the smaller over the larger, turned into its octant."""
    a, b = np.abs(y), np.abs(x)
    large, small = np.maximum(a, b), np.minimum(a, b)
    ratio = small / np.where(large == 0, 1.0, large)
    angle = np.arctan(np.where(np.isinf(a) & np.isinf(b), 1.0, ratio))
    angle = np.where(a > b, _HALF_PI - angle, angle)
    return np.copysign(np.where(np.signbit(x), np.pi - angle, angle), y)


@in_float64(np.arcsin)
def _arcsin(x: Any) -> Any:
    """atan(x / sqrt(1 - x²)), the root as sqrt((1 - x) (1 + x)); beyond 1 not a number."""
    return np.arctan2(x, np.sqrt((1 - x) * (1 + x)))


@in_float64(np.arccos)
def _arccos(x: Any) -> Any:
    return 2 * np.arctan2(np.sqrt(1 - x), np.sqrt(1 + x))


@in_float64(np.tan)
def _tan(x: Any) -> Any:
    return np.sin(x) / np.cos(x)


@in_float64(np.sinh)
def _sinh(x: Any) -> Any:
    """From expm1, so that small numbers keep their digits; exp(x/2)² reaches as far as sinh does."""
    size = np.abs(x)
    e = np.expm1(np.where(size < 20, size, 0.0))
    half = np.exp(size * 0.5)
    return np.copysign(np.where(size < 20, (e + e / (e + 1)) * 0.5, half * 0.5 * half), x)


@in_float64(np.cosh)
def _cosh(x: Any) -> Any:
    half = np.exp(np.abs(x) * 0.5)
    return half * 0.5 * half + 0.5 / half / half


@in_float64(np.arcsinh)
def _arcsinh(x: Any) -> Any:
    """log1p(a + a² / (1 + sqrt(1 + a²))); of large numbers log 2a."""
    size = np.abs(x)
    large = size > 1e8
    a = np.where(large, 1.0, size)
    small = np.log1p(a + a * a / (1 + np.sqrt(1 + a * a)))
    return np.copysign(np.where(large, np.log(size) + np.log(2.0), small), x)


@in_float64(np.arccosh)
def _arccosh(x: Any) -> Any:
    large = x > 1e8
    t = np.where(large, 1.0, x - 1)
    found = np.where(large, np.log(x) + np.log(2.0), np.log1p(t + np.sqrt(2 * t + t * t)))
    return np.where(x < 1, np.nan, found)


@in_float64(np.arctanh)
def _arctanh(x: Any) -> Any:
    size = np.abs(x)
    return np.copysign(0.5 * np.log1p(2 * size / (1 - size)), x)


@in_float64(special.expit)
def _expit(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


@in_float64(special.log_expit)
def _log_expit(x: Any) -> Any:
    return np.minimum(x, 0.0) - np.log1p(np.exp(-np.abs(x)))


@in_float64(special.logit)
def _logit(p: Any) -> Any:
    """log(p / (1 - p)); about 1/2 by log1p, where the quotient is about 1."""
    middle = np.abs(p - 0.5) < 0.2
    inner = np.where(middle, p, 0.5)
    return np.where(middle, np.log1p((2 * inner - 1) / (1 - inner)), np.log(p / (1 - p)))


@in_float64(special.xlogy)
def _xlogy(x: Any, y: Any) -> Any:
    return np.where((x == 0) & ~np.isnan(y), 0.0, x * np.log(y))


@in_float64(special.xlog1py)
def _xlog1py(x: Any, y: Any) -> Any:
    return np.where((x == 0) & ~np.isnan(y), 0.0, x * np.log1p(y))


# W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969); the
# coefficients are those of his CALERF, the highest power first.
_ERF_P = (
    1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2,
    3.20937758913846947e3,
)  # fmt: skip
_ERF_Q = (
    1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3,
)  # fmt: skip
_ERFC_P = (
    2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1,
    2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
    1.23033935479799725e3,
)  # fmt: skip
_ERFC_Q = (
    1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
    3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3,
)  # fmt: skip
_TAIL_P = (
    1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
    1.60837851487422766e-2, 6.58749161529837803e-4,
)  # fmt: skip
_TAIL_Q = (
    1.0, 2.56852019228982242e0, 1.87295284992346725e0, 5.27905102951428412e-1, 6.05183413124413191e-2,
    2.33520497626869185e-3,
)  # fmt: skip
_ROOT_PI = 5.6418958354775628695e-1  # 1 / sqrt(pi)


def _erf_near(x: Any) -> Any:
    """erf of |x| <= 0.46875."""
    z = x * x
    return x * _polynomial(z, _ERF_P) / _polynomial(z, _ERF_Q)


def _erfc_far(size: Any) -> Any:
    """erfc of x > 0.46875. exp(-x²) in two factors: x² itself would lose the digits that count."""
    short = np.trunc(size * 16) / 16
    gauss = np.exp(-short * short) * np.exp(-(size - short) * (size + short))
    tail = size > 4
    body = np.where(tail, 1.0, size)
    inner = _polynomial(body, _ERFC_P) / _polynomial(body, _ERFC_Q)
    far = np.where(tail, size, 5.0)
    z = 1 / (far * far)
    outer = (_ROOT_PI - z * _polynomial(z, _TAIL_P) / _polynomial(z, _TAIL_Q)) / far
    return gauss * np.where(tail, outer, inner)


def _pieces(x: Any) -> tuple[Any, Any, Any]:
    size = np.abs(x)
    near = size <= 0.46875
    # exp(-x²) is 0 from 27 on, and infinity times 0 would not be a number
    return near, _erf_near(np.where(near, x, 0.0)), _erfc_far(np.clip(size, 0.46875, 28.0))


@in_float64(special.erf)
def _erf(x: Any) -> Any:
    near, inner, outer = _pieces(x)
    return np.where(near, inner, np.copysign(1 - outer, x))


@in_float64(special.erfc)
def _erfc(x: Any) -> Any:
    near, inner, outer = _pieces(x)
    return np.where(near, 1 - inner, np.where(x < 0, 2 - outer, outer))


@in_float64(special.ndtr)
def _ndtr(x: Any) -> Any:
    return 0.5 * special.erfc(x * -np.sqrt(0.5))
