# ruff: noqa: A002, ARG001, PLR0917 -- the signatures are those of numpy
"""Sums, extremes and what is made of them, along axes that are not the rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from converter.tracing.dispatch import kernel_dtype, name_of, records
from converter.tracing.errors import TracingError
from converter.tracing.nodes import cast, record
from converter.tracing.promote import as_operand
from converter.tracing.shapes import axes_within, axis_index, count
from converter.tracing.tensor import Tensor

_NOT_GIVEN = (None, np._NoValue)


def _without(function: Any, **options: Any) -> None:
    """Raises TracingError for an option that is not supported and was given."""
    for name, value in options.items():
        if value is not None and value is not np._NoValue and value is not True and value is not False:
            raise TracingError(f"{name_of(function)} with `{name}=` has no ONNX form.")


def _kept(keepdims: Any) -> bool:
    return keepdims is not np._NoValue and bool(keepdims)


def _reduced(x: Tensor, axes: Sequence[int], *, keepdims: bool) -> tuple[int | None, ...]:
    kept = [1 if axis in axes else size for axis, size in enumerate(x.sizes)]
    return tuple(kept) if keepdims else tuple(n for at, n in enumerate(kept) if at not in axes)


def _given(out: Any, result: Any) -> Any:
    if out is None or out is np._NoValue or out == (None,):
        return result
    target = out[0] if isinstance(out, tuple) else out
    if not isinstance(target, Tensor):
        raise TracingError("data is written into an array of constants: make it with np.zeros_like(X).")
    target.assign(result, "same_kind")
    return target


def _reduce(operator: str, x: Tensor, axes: Sequence[int], *, keepdims: bool) -> Tensor:
    shape = _reduced(x, axes, keepdims=keepdims)
    if not axes:
        return x
    if operator == "ReduceSum":
        return record(
            operator, x, np.array(axes, np.int64), dtype=x.dtype, shape=shape, keepdims=int(keepdims)
        )
    return record(operator, x, dtype=x.dtype, shape=shape, axes=list(axes), keepdims=int(keepdims))


def _total(function: Any, operator: str) -> Any:
    @records(function)
    def total(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
              initial: Any = None, where: Any = None) -> Any:  # fmt: skip
        _without(function, initial=initial, where=where)
        a = as_operand(a)
        axes = axes_within(axis, a.sizes, name_of(function))
        result_dtype = np.dtype(dtype) if dtype is not None else summed_dtype(a.dtype)
        x = cast(cast(a, result_dtype), kernel_dtype(result_dtype))
        return _given(out, cast(_reduce(operator, x, axes, keepdims=_kept(keepdims)), result_dtype))

    return total


def summed_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """numpy adds small whole numbers up in int64."""
    return (
        np.dtype(np.int64) if dtype.kind in "bi" else np.dtype(np.uint64) if dtype.kind == "u" else dtype
    )


np_sum = _total(np.sum, "ReduceSum")
_total(np.prod, "ReduceProd")


def _extreme(functions: tuple[Any, ...], operator: str) -> None:
    @records(*functions)
    def extreme(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = None,
                where: Any = None) -> Any:  # fmt: skip
        _without(functions[0], initial=initial, where=where)
        a = as_operand(a)
        axes = axes_within(axis, a.sizes, name_of(functions[0]))
        if any(a.sizes[at] == 0 for at in axes):
            raise ValueError("zero-size array to reduction operation which has no identity")
        kernel = kernel_dtype(a.dtype)
        x = cast(a, np.int64 if kernel == np.bool_ else kernel)
        found: Any = _reduce(operator, x, axes, keepdims=_kept(keepdims))
        if kernel.kind == "f":  # the kernels lose a nan, or not, by where it stands
            found = np.where(np.any(np.isnan(x), axis=axes, keepdims=_kept(keepdims)), np.nan, found)
        return _given(out, cast(found, a.dtype))


_extreme(tuple({np.max, np.amax}), "ReduceMax")
_extreme(tuple({np.min, np.amin}), "ReduceMin")


def _quantifier(function: Any, operator: str) -> None:
    @records(function)
    def quantifier(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False,
                   where: Any = None, dtype: Any = None) -> Any:  # fmt: skip
        _without(function, where=where)
        a = as_operand(a)
        axes = axes_within(axis, a.sizes, name_of(function))
        x = cast(cast(a, np.bool_), np.int64)
        if any(a.sizes[at] == 0 for at in axes):  # sums and products of nothing are what they should be
            operator_ = {"ReduceMax": "ReduceSum", "ReduceMin": "ReduceProd"}[operator]
        else:
            operator_ = operator
        return _given(out, cast(_reduce(operator_, x, axes, keepdims=_kept(keepdims)), np.bool_))


_quantifier(np.any, "ReduceMax")
_quantifier(np.all, "ReduceMin")


@records(np.count_nonzero)
def _count_nonzero(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    return np.sum(cast(a, np.bool_), axis=axis, keepdims=keepdims)


def _size(x: Tensor, axes: Sequence[int]) -> int:
    return count([x.sizes[at] for at in axes])


@records(np.mean)
def _mean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, *,
          where: Any = None) -> Any:  # fmt: skip
    _without(np.mean, where=where)
    a = as_operand(a)
    axes = axes_within(axis, a.sizes, "np.mean")
    exact = dtype if dtype is not None else np.float64 if a.dtype.kind != "f" else a.dtype
    total = np.sum(a, axis=axes, dtype=exact, keepdims=_kept(keepdims))
    return _given(out, total / np.dtype(exact).type(_size(a, axes)))


@records(np.var)
def _var(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
         keepdims: Any = False, *, where: Any = None, mean: Any = None,
         correction: Any = None) -> Any:  # fmt: skip
    _without(np.var, where=where, mean=mean)
    ddof = ddof if correction in _NOT_GIVEN else correction
    a = as_operand(a)
    axes = axes_within(axis, a.sizes, "np.var")
    exact = dtype if dtype is not None else np.float64 if a.dtype.kind != "f" else a.dtype
    x = cast(a, exact)
    away = x - np.mean(x, axis=axes, keepdims=True)
    total = np.sum(away * away, axis=axes, keepdims=_kept(keepdims))
    return _given(out, total / np.dtype(exact).type(max(_size(a, axes) - ddof, 0)))


@records(np.std)
def _std(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
         keepdims: Any = False, **options: Any) -> Any:  # fmt: skip
    return _given(out, np.sqrt(np.var(a, axis, dtype, None, ddof, keepdims, **options)))


@records(np.ptp)
def _ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    keep = _kept(keepdims)
    return _given(out, np.max(a, axis=axis, keepdims=keep) - np.min(a, axis=axis, keepdims=keep))


def _place(function: Any, operator: str) -> None:
    @records(function)
    def place(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
        a = as_operand(a)
        axes = axes_within(axis, a.sizes, name_of(function))
        if len(axes) > 1:
            raise TracingError(f"{name_of(function)} over several axes: give one, as `axis=1`.")
        kernel = kernel_dtype(a.dtype)
        x = cast(a, np.int64 if kernel == np.bool_ else kernel)
        found: Any = _first(operator, x, axes[0])
        if kernel.kind == "f":  # numpy takes the first nan, the kernels pass over it
            missing = np.isnan(x)
            first = _first("ArgMax", cast(missing, np.int64), axes[0])
            found = np.where(np.any(missing, axis=axes[0], keepdims=True), first, found)
        return _given(out, found if _kept(keepdims) else np.squeeze(found, axis=axes[0]))


def _first(operator: str, x: Tensor, axis: int) -> Tensor:
    shape = _reduced(x, (axis,), keepdims=True)
    return record(operator, x, dtype=np.int64, shape=shape, axis=axis, keepdims=1)


_place(np.argmax, "ArgMax")
_place(np.argmin, "ArgMin")


@records(np.average)
def _average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *,
             keepdims: Any = False) -> Any:  # fmt: skip
    if weights is None:
        return np.mean(a, axis=axis, keepdims=keepdims)
    if returned:
        raise TracingError("np.average with `returned=True` has no ONNX form: sum the weights in `fit`.")
    a, weights = as_operand(a), as_operand(weights)
    if weights.ndim == 1 and a.ndim > 1 and isinstance(axis, int):
        at = axis_index(axis, a.ndim)
        weights = np.reshape(weights, [-1 if n == at else 1 for n in range(a.ndim)])
    options = {"axis": axis, "keepdims": _kept(keepdims)}
    shape_safe = weights if isinstance(weights, Tensor) else np.asarray(weights, np.float64)
    total = np.sum(a * weights, **options)
    if isinstance(shape_safe, Tensor):
        return total / np.sum(weights, **options)
    return total / np.sum(weights)


@records(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if isinstance(axis, Sequence) or ord not in (None, 0, 1, 2, np.inf, -np.inf):
        raise TracingError(f"np.linalg.norm with ord={ord!r}, axis={axis!r} has no ONNX form.")
    x = as_operand(x)
    x = x if x.dtype.kind == "f" else cast(x, np.float64)
    options = {"axis": axis, "keepdims": keepdims}
    if ord in (np.inf, -np.inf):
        return (np.max if ord > 0 else np.min)(np.abs(x), **options)
    if ord == 0:
        return cast(np.sum(x != 0, **options), x.dtype)
    return np.sum(np.abs(x), **options) if ord == 1 else np.sqrt(np.sum(x * x, **options))


def _number(a: Any) -> Any:
    return ~np.isnan(a)


@records(np.nansum)
def _nansum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    return np.sum(np.where(_number(a), a, 0), axis=axis, dtype=dtype, out=out, keepdims=keepdims)


@records(np.nanprod)
def _nanprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    return np.prod(np.where(_number(a), a, 1), axis=axis, dtype=dtype, out=out, keepdims=keepdims)


@records(np.nanmean)
def _nanmean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    if a.dtype.kind != "f":
        return np.mean(a, axis=axis, dtype=dtype, out=out, keepdims=keepdims)
    total = np.nansum(a, axis=axis, dtype=dtype, keepdims=keepdims)
    return _given(out, total / cast(np.sum(_number(a), axis=axis, keepdims=keepdims), total.dtype))


@records(np.nanvar)
def _nanvar(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
            keepdims: Any = False) -> Any:  # fmt: skip
    if a.dtype.kind != "f":
        return np.var(a, axis=axis, dtype=dtype, out=out, ddof=ddof, keepdims=keepdims)
    away = np.where(_number(a), a - np.nanmean(a, axis=axis, keepdims=True), 0)
    total = np.sum(away * away, axis=axis, dtype=dtype, keepdims=keepdims)
    left = np.sum(_number(a), axis=axis, keepdims=keepdims) - ddof
    return _given(out, np.where(left > 0, total / cast(left, total.dtype), np.nan))


@records(np.nanstd)
def _nanstd(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
            keepdims: Any = False) -> Any:  # fmt: skip
    return _given(out, np.sqrt(np.nanvar(a, axis=axis, dtype=dtype, ddof=ddof, keepdims=keepdims)))


def _nan_extreme(function: Any, plain: Any, nothing: float) -> None:
    @records(function)
    def extreme(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Any:
        if a.dtype.kind != "f":
            return plain(a, axis=axis, out=out, keepdims=keepdims)
        axes = axes_within(axis, a.sizes, name_of(function))
        found = plain(np.where(_number(a), a, nothing), axis=axes, keepdims=_kept(keepdims))
        some = np.any(_number(a), axis=axes, keepdims=_kept(keepdims))
        return _given(out, np.where(some, found, np.nan))


_nan_extreme(np.nanmax, np.max, -np.inf)
_nan_extreme(np.nanmin, np.min, np.inf)
