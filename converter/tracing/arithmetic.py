"""Operators: arithmetic as numpy does it, whole numbers and their zeros included; comparison; logic."""

from typing import Any

import numpy as np

from converter.tracing.dispatch import records_ufunc
from converter.tracing.errors import TracingError
from converter.tracing.nodes import cast, elementwise, record, shape_of
from converter.tracing.shapes import broadcast
from converter.tracing.tensor import Tensor

_I64 = np.iinfo(np.int64)


def _plain(ufunc: Any, operator: str, logical: str = "") -> None:
    @records_ufunc(ufunc)
    def rule(a: Any, b: Any) -> Tensor:
        is_bool = a.dtype == np.bool_
        return elementwise(logical if is_bool else operator, a, b, dtype=a.dtype)


_PLAIN: tuple[tuple[Any, str, str], ...] = (
    (np.add, "Add", "Or"), (np.subtract, "Sub", ""), (np.multiply, "Mul", "And"),
    (np.maximum, "Max", "Or"), (np.minimum, "Min", "And"),
)  # fmt: skip
for _ufunc, _operator, _logical in _PLAIN:
    _plain(_ufunc, _operator, _logical)


def _comparison(ufunc: Any, operator: str) -> None:
    @records_ufunc(ufunc)
    def rule(a: Any, b: Any) -> Tensor:
        if a.dtype == np.bool_ and operator != "Equal":
            a, b = cast(a, np.int64), cast(b, np.int64)
        return elementwise(operator, a, b, dtype=np.bool_)


_COMPARISONS: tuple[tuple[Any, str], ...] = (
    (np.equal, "Equal"), (np.greater, "Greater"), (np.less, "Less"),
    (np.greater_equal, "GreaterOrEqual"), (np.less_equal, "LessOrEqual"),
)  # fmt: skip
for _ufunc, _operator in _COMPARISONS:
    _comparison(_ufunc, _operator)


@records_ufunc(np.not_equal)
def _not_equal(a: Any, b: Any) -> Tensor:
    return elementwise("Not", elementwise("Equal", a, b, dtype=np.bool_))


def _logic(ufunc: Any, operator: str) -> None:
    @records_ufunc(ufunc)
    def rule(*operands: Any) -> Tensor:
        return elementwise(operator, *(cast(item, np.bool_) for item in operands))


_LOGIC: tuple[tuple[Any, str], ...] = (
    (np.logical_and, "And"), (np.logical_or, "Or"), (np.logical_xor, "Xor"), (np.logical_not, "Not"),
)  # fmt: skip
for _ufunc, _operator in _LOGIC:
    _logic(_ufunc, _operator)


def _bitwise(ufunc: Any, operator: str) -> None:
    @records_ufunc(ufunc)
    def rule(a: Any, b: Any) -> Tensor:
        if a.dtype != np.bool_:
            raise TracingError(
                f"np.{ufunc.__name__} of whole numbers has no ONNX form: use it on conditions only."
            )
        return elementwise(operator, a, b)


_bitwise(np.bitwise_and, "And")
_bitwise(np.bitwise_or, "Or")
_bitwise(np.bitwise_xor, "Xor")


@records_ufunc(np.invert)
def _invert(x: Any) -> Any:
    return elementwise("Not", x) if x.dtype == np.bool_ else -x - 1


@records_ufunc(np.divide)
def _divide(a: Any, b: Any) -> Tensor:
    return elementwise("Div", a, b)


@records_ufunc(np.floor_divide)
def _floor_divide(a: Any, b: Any) -> Any:
    if a.dtype.kind != "f":
        return _whole_floor_divide(a, b)
    return _float_divmod(a, b)[0]


@records_ufunc(np.remainder)
def _remainder(a: Any, b: Any) -> Any:
    if a.dtype.kind != "f":
        return np.where(b == 0, 0, a - _whole_floor_divide(a, b) * b)
    return _float_divmod(a, b)[1]


@records_ufunc(np.fmod)
def _fmod(a: Any, b: Any) -> Any:
    if a.dtype.kind == "f":
        return _float_fmod(a, b)
    return np.where(b == 0, 0, a - _truncated(a, b) * b)


def _truncated(a: Any, b: Any) -> Any:
    """int64 division towards zero, where a division by zero, or an overflow, would end the process."""
    minus = b == -1
    safe = np.where((b == 0) | minus, 1, b)
    quotient = elementwise("Div", a, safe)
    return np.where(minus, -a, quotient)


def _whole_floor_divide(a: Any, b: Any) -> Any:
    """numpy rounds down and gives 0 for a division by zero; Div rounds towards zero."""
    quotient: Any = _truncated(a, b)
    product = quotient * b
    below = (product != a) & ((a < 0) != (b < 0))
    return np.where(b == 0, 0, np.where(below, quotient - 1, quotient))


def _float_fmod(a: Any, b: Any) -> Tensor:
    shape = broadcast(shape_of(a), shape_of(b))
    return record("Mod", a, b, dtype=a.dtype, shape=shape, fmod=1)


def _float_divmod(a: Any, b: Any) -> tuple[Any, Any]:
    """numpy's npy_divmod: from fmod, because floor(a / b) may round up to the next whole number."""
    rest: Any = _float_fmod(a, b)
    other_side = (rest != 0) & ((b < 0) != (rest < 0))
    quotient = (a - rest) / b
    quotient = np.where(other_side, quotient - 1, quotient)
    rest = np.where(other_side, rest + b, rest)
    down = np.floor(quotient)
    down = np.where(quotient - down > 0.5, down + 1, down)
    return np.where(b == 0, a / b, down), rest


@records_ufunc(np.power)
def _power(base: Any, exponent: Any) -> Any:
    if base.dtype.kind != "f":
        return _whole_power(base, exponent)
    simple = _simple_power(base, exponent)
    return elementwise("Pow", base, exponent) if simple is None else simple


def _simple_power(base: Any, exponent: Any) -> Any:
    """The exponents that numpy, too, replaces: they round better, and are faster."""
    if isinstance(exponent, Tensor) or np.ndim(exponent):
        return None
    if exponent == 2:
        return base * base
    if exponent == 1:
        return base
    return np.sqrt(base) if exponent == 0.5 else None


@records_ufunc(np.float_power)
def _float_power(base: Any, exponent: Any) -> Any:
    return elementwise("Pow", base, exponent)


def _whole_power(base: Any, exponent: Any) -> Any:
    """By squaring, so that it is exact and wraps; Pow would go through floating point."""
    if isinstance(exponent, Tensor) or np.ndim(exponent):
        raise TracingError(
            "whole numbers to the power of an array have no ONNX form: make one of them float64."
        )
    left = int(exponent)
    if left < 0:
        raise ValueError("Integers to negative integer powers are not allowed.")
    result: Any = None
    while left:
        if left & 1:
            result = base if result is None else result * base
        left >>= 1
        base = base * base if left else base
    return base * 0 + 1 if result is None else result


@records_ufunc(np.square)
def _square(x: Any) -> Any:
    return x * x


@records_ufunc(np.reciprocal)
def _reciprocal(x: Any) -> Any:
    if x.dtype.kind == "f":
        return elementwise("Div", np.ones((), x.dtype), x)
    raise TracingError("np.reciprocal of whole numbers is 0 but for 1 and -1: `1 / x` gives fractions.")


@records_ufunc(np.fmax)
def _fmax(a: Any, b: Any) -> Any:
    return _first_number(a, b, np.maximum(a, b))


@records_ufunc(np.fmin)
def _fmin(a: Any, b: Any) -> Any:
    return _first_number(a, b, np.minimum(a, b))


def _first_number(a: Any, b: Any, both: Any) -> Any:
    if a.dtype.kind != "f":
        return both
    return np.where(np.isnan(a), b, np.where(np.isnan(b), a, both))
