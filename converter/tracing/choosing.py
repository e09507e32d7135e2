# ruff: noqa: A002, ARG001 -- the signatures are those of numpy
"""Choices between arrays: where, select, piecewise, clip, and replacements of numbers."""

from typing import Any

import numpy as np

from converter.tracing.dispatch import records
from converter.tracing.errors import TracingError
from converter.tracing.nodes import cast, choose
from converter.tracing.promote import as_operand, common_dtype, is_tensor, promoted


@records(np.where)
def _where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    if x is None or y is None:
        raise TracingError(
            "np.where(condition) gives places, of which the number depends on data: use "
            "np.where(condition, a, b) or np.argmax."
        )
    a, b = promoted([x, y])
    chosen = cast(as_operand(condition), np.bool_)
    if not is_tensor(chosen) and chosen.ndim == 0 and not (is_tensor(a) and is_tensor(b)):
        pass  # a constant condition of one array and one constant still broadcasts
    return choose(chosen, a, b)


@records(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    dtype = common_dtype([*choicelist, default])
    result: Any = cast(as_operand(default), dtype)
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        result = np.where(condition, cast(as_operand(choice), dtype), result)
    return result


@records(np.piecewise)
def _piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    conditions = list(condlist) if isinstance(condlist, (list, tuple)) else [condlist]
    pieces = [piece(x, *args, **kw) if callable(piece) else piece for piece in funclist]
    if len(pieces) not in (len(conditions), len(conditions) + 1):
        raise ValueError(f"np.piecewise: {len(conditions)} conditions and {len(pieces)} functions")
    result: Any = cast(as_operand(pieces[-1] if len(pieces) > len(conditions) else 0), x.dtype)
    # numpy lets the later condition win
    for condition, piece in zip(conditions, pieces, strict=False):
        result = np.where(condition, cast(as_operand(piece), x.dtype), result)
    return result


@records(np.clip)
def _clip(a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, *, min: Any = None,
          max: Any = None, **options: Any) -> Any:  # fmt: skip
    low, high = (min if a_min is None else a_min), (max if a_max is None else a_max)
    found = a if low is None else np.maximum(a, low)
    found = found if high is None else np.minimum(found, high)
    if out is None:
        return found.copy() if found is a else found
    out.assign(found, "same_kind")
    return out


@records(np.nan_to_num)
def _nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    if x.dtype.kind != "f":
        return x
    limits = np.finfo(x.dtype)
    found = np.where(np.isnan(x), nan, x)
    found = np.where(x == np.inf, limits.max if posinf is None else posinf, found)
    found = np.where(x == -np.inf, limits.min if neginf is None else neginf, found)
    found = found.astype(x.dtype)
    if copy:
        return found
    x.assign(found)
    return x


@records(np.isclose)
def _isclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    a, b = as_operand(a), as_operand(b)
    close = (np.abs(a - b) <= atol + rtol * np.abs(b)) & np.isfinite(b) | (a == b)
    return close | (np.isnan(a) & np.isnan(b)) if equal_nan else close


@records(*{np.round, np.around})
def _round(a: Any, decimals: int = 0, out: Any = None) -> Any:
    if a.dtype.kind == "f":
        power = a.dtype.type(10.0 ** abs(decimals))
        found = np.rint(a) if not decimals else (
            np.rint(a * power) / power if decimals > 0 else np.rint(a / power) * power
        )  # fmt: skip
    elif decimals >= 0:
        found = a.copy()
    else:
        raise TracingError("np.round of whole numbers to tens has no ONNX form: make them float64.")
    if out is None:
        return found
    out.assign(found, "same_kind")
    return out


@records(np.isposinf)
def _isposinf(x: Any, out: Any = None) -> Any:
    return x == np.inf


@records(np.isneginf)
def _isneginf(x: Any, out: Any = None) -> Any:
    return x == -np.inf


@records(np.isin)
def _isin(element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *,
          kind: Any = None) -> Any:  # fmt: skip
    if is_tensor(test_elements):
        raise TracingError("np.isin looks for data: it can only look for constants.")
    found = np.any(as_operand(element)[..., None] == np.asarray(test_elements).ravel(), axis=-1)
    return ~found if invert else found


@records(np.real, np.real_if_close)
def _real(val: Any) -> Any:
    return val


@records(np.iscomplexobj)
def _iscomplexobj(x: Any) -> bool:
    return False


@records(np.result_type)
def _result_type(*items: Any) -> Any:
    return common_dtype(items)


@records(np.can_cast)
def _can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    return np.can_cast(getattr(from_, "dtype", from_), getattr(to, "dtype", to), casting)
