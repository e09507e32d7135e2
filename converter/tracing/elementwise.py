"""Functions of one number. Where ONNX has an accurate kernel it is used, else a formula in float64."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from converter.tracing.dispatch import records_ufunc
from converter.tracing.nodes import cast, elementwise
from converter.tracing.tensor import Tensor


def _kernel(ufunc: Any, operator: str) -> None:
    @records_ufunc(ufunc)
    def rule(x: Any) -> Any:
        # of whole numbers and conditions floor and its like are themselves
        return elementwise(operator, x) if x.dtype.kind == "f" else x


_HALF_PI, _HALF_PI_REST = np.pi / 2, 6.123233995736766e-17  # together pi/2 to 32 digits
_KERNELS: tuple[tuple[Any, str], ...] = (
    (np.sqrt, "Sqrt"), (np.exp, "Exp"), (np.log, "Log"), (np.sin, "Sin"),
    (np.tanh, "Tanh"), (np.floor, "Floor"), (np.ceil, "Ceil"), (np.rint, "Round"),
)  # fmt: skip
for _ufunc, _operator in _KERNELS:
    _kernel(_ufunc, _operator)


@records_ufunc(np.cos)
def _cos(x: Any) -> Any:
    """ONNX Runtime 1.23 has no Cos of float64: sin(pi/2 - |x|), with what both of these round off."""
    if x.dtype != np.float64:
        return elementwise("Cos", x)
    size = np.abs(x)
    moved = _HALF_PI - size
    back = moved - _HALF_PI
    lost = (_HALF_PI - (moved - back)) - (size + back) + _HALF_PI_REST
    return np.sin(moved) + lost * np.sin(size)


@records_ufunc(np.absolute, np.fabs)
def _absolute(x: Any) -> Any:
    return x if x.dtype == np.bool_ else elementwise("Abs", x)


@records_ufunc(np.negative)
def _negative(x: Any) -> Tensor:
    return elementwise("Neg", x)


@records_ufunc(np.positive, np.conjugate)
def _positive(x: Any) -> Any:
    return x


@records_ufunc(np.sign)
def _sign(x: Any) -> Tensor:
    return elementwise("Sign", x)


@records_ufunc(np.trunc)
def _trunc(x: Any) -> Any:
    return np.where(x < 0, np.ceil(x), np.floor(x)) if x.dtype.kind == "f" else x


@records_ufunc(np.isnan)
def _isnan(x: Any) -> Any:
    return elementwise("IsNaN", x, dtype=np.bool_) if x.dtype.kind == "f" else x != x  # noqa: PLR0124


@records_ufunc(np.isinf)
def _isinf(x: Any) -> Any:
    return elementwise("IsInf", x, dtype=np.bool_) if x.dtype.kind == "f" else x != x  # noqa: PLR0124


@records_ufunc(np.isfinite)
def _isfinite(x: Any) -> Any:
    return ~(np.isnan(x) | np.isinf(x))


@records_ufunc(np.signbit)
def _signbit(x: Any) -> Any:
    if x.dtype.kind != "f":
        return x < 0
    return (x < 0) | ((x == 0) & (1 / x < 0))  # only its reciprocal tells -0.0


@records_ufunc(np.copysign)
def _copysign(x: Any, of: Any) -> Any:
    size = np.abs(x)
    return np.where(np.signbit(of), -size, size)


@records_ufunc(np.heaviside)
def _heaviside(x: Any, at_zero: Any) -> Any:
    one = np.ones((), x.dtype)
    return np.where(np.isnan(x), x, np.where(x == 0, at_zero, np.where(x > 0, one, 0 * one)))


@records_ufunc(np.deg2rad, np.radians)
def _deg2rad(x: Any) -> Any:
    return x * (x.dtype.type(np.pi) / x.dtype.type(180))


@records_ufunc(np.rad2deg, np.degrees)
def _rad2deg(x: Any) -> Any:
    return x * (x.dtype.type(180) / x.dtype.type(np.pi))


_Formula = TypeVar("_Formula", bound=Callable[..., Any])


def in_float64(*ufuncs: Any) -> Callable[[_Formula], _Formula]:
    """Register a formula that is worked out in float64, whatever the dtype of its operands.

    The result is rounded to the ufunc's own dtype by the caller.
    """

    def register(formula: _Formula) -> _Formula:
        @records_ufunc(*ufuncs)
        def rule(*operands: Any) -> Any:
            return formula(*(cast(item, np.float64) for item in operands))

        return formula

    return register


@in_float64(np.log1p)
def _log1p(x: Any) -> Any:
    """Kahan's: the error of rounding 1 + x is taken back by x / ((1 + x) - 1)."""
    u = 1 + x
    d = u - 1
    exact = (d == 0) | (u == np.inf)
    return np.where(exact, np.where(d == 0, x, u), np.log(u) * (x / np.where(exact, 1.0, d)))


@in_float64(np.expm1)
def _expm1(x: Any) -> Any:
    """Kahan's: (u - 1) x / log u, u = exp x; away from 0 there is nothing to take back."""
    near = np.where(np.abs(x) < 1, x, 0.5)
    u = np.exp(near)
    w = np.log(u)
    inner = np.where(w == 0, near, (u - 1) * (near / np.where(w == 0, 1.0, w)))
    return np.where(np.abs(x) < 1, inner, np.exp(x) - 1)


def _snapped(x: Any, result: Any, base: float) -> Any:
    """A logarithm, exact where x is a whole power of the base: floor(log10(1000)) is 3."""
    whole = np.rint(result)
    return np.where(base**whole == x, whole, result)


@in_float64(np.log2)
def _log2(x: Any) -> Any:
    return _snapped(x, np.log(x) * np.log2(np.e), 2.0)


@in_float64(np.log10)
def _log10(x: Any) -> Any:
    return _snapped(x, np.log(x) * np.log10(np.e), 10.0)


@in_float64(np.exp2)
def _exp2(x: Any) -> Any:
    return np.power(np.float64(2), x)


@in_float64(np.cbrt)
def _cbrt(x: Any) -> Any:
    """x^(1/3), and one step of Newton's method, which makes cubes exact."""
    size = np.abs(x)
    plain = (size == 0) | ~np.isfinite(size)
    safe = np.where(plain, 1.0, size)
    root = safe ** (1 / 3)
    root = root - (root - safe / (root * root)) / 3
    return np.copysign(np.where(plain, size, root), x)


@in_float64(np.hypot)
def _hypot(x: Any, y: Any) -> Any:
    """Scaled by the larger, so that squares do not overflow."""
    x, y = np.abs(x), np.abs(y)
    large, small = np.maximum(x, y), np.minimum(x, y)
    ratio = small / np.where(large == 0, 1.0, large)
    length = large * np.sqrt(1 + ratio * ratio)
    return np.where(np.isinf(x) | np.isinf(y), np.inf, length)


@in_float64(np.logaddexp)
def _logaddexp(x: Any, y: Any) -> Any:
    large = np.maximum(x, y)
    gap = np.where(x == y, 0.0, -np.abs(x - y))
    return large + np.log1p(np.exp(gap))
