# ruff: noqa: ARG001, PLR0917 -- the signatures are those of numpy
"""Arrays side by side, and arrays like others."""

from typing import Any

import numpy as np

from converter.tracing.dispatch import records
from converter.tracing.errors import TracingError
from converter.tracing.nodes import concat, shape_of
from converter.tracing.promote import as_operand, filled, first_tensor, promoted
from converter.tracing.rows import Rows
from converter.tracing.shapes import Shape, axis_index, describe
from converter.tracing.tensor import Tensor


@records(np.concatenate)
def _concatenate(
    arrays: Any, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: Any = None
) -> Any:
    if out is not None:
        raise TracingError("np.concatenate with `out=` has no ONNX form.")
    parts = promoted(list(arrays))
    if dtype is not None:
        parts = [part.astype(dtype) for part in parts]
    like = first_tensor(*parts)
    if axis is None:
        raise TracingError(
            "np.concatenate with `axis=None` would put rows one after another: give `axis=1`."
        )
    at = axis_index(axis, like.ndim)
    if like.sizes[at] is None:
        raise TracingError(
            "arrays are put one after another along the rows: a device predicts one row at a time. "
            "np.column_stack and `axis=1` put them side by side."
        )
    others = [shape_of(part)[:at] + shape_of(part)[at + 1 :] for part in parts]
    if any(shape != like.sizes[:at] + like.sizes[at + 1 :] for shape in others):
        raise TracingError(
            f"{describe(*map(shape_of, parts))} do not fit side by side: a constant has no rows of "
            "its own. `np.full_like(X[:, :1], constant)` has."
        )
    return concat(parts, at)


@records(np.stack)
def _stack(
    arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: Any = None
) -> Any:
    parts = promoted(list(arrays))
    like = first_tensor(*parts)
    if any(shape_of(part) != like.sizes and shape_of(part) != () for part in parts):
        raise TracingError(
            f"arrays of shapes {describe(*map(shape_of, parts))} are stacked: they must have the same "
            "rows. np.full_like makes an array of a constant."
        )
    parts = [filled(part, like.sizes, like) for part in parts]
    return np.concatenate([np.expand_dims(part, axis) for part in parts], axis=axis, dtype=dtype)


@records(np.column_stack)
def _column_stack(tup: Any) -> Any:
    parts = [as_operand(part) for part in tup]
    return np.concatenate([part[:, None] if part.ndim == 1 else part for part in parts], axis=1)


@records(np.hstack)
def _hstack(tup: Any, *, dtype: Any = None, casting: Any = None) -> Any:
    parts = [as_operand(part) for part in tup]
    return np.concatenate(parts, axis=0 if parts[0].ndim < 2 else 1, dtype=dtype)


@records(np.vstack)
def _vstack(tup: Any, *, dtype: Any = None, casting: Any = None) -> Any:
    return np.concatenate([np.atleast_2d(as_operand(part)) for part in tup], axis=0, dtype=dtype)


@records(np.append)
def _append(arr: Any, values: Any, axis: Any = None) -> Any:
    return np.concatenate([as_operand(arr), as_operand(values)], axis=axis)


def _like(function: Any, value: float | None) -> None:
    @records(function)
    def like(a: Any, fill_value: Any = value, dtype: Any = None, order: str = "K", subok: bool = True,
             shape: Any = None, *, device: Any = None) -> Any:  # fmt: skip
        wanted = np.dtype(a.dtype if dtype is None else dtype)
        sizes = a.sizes if shape is None else tuple(None if isinstance(n, Rows) else n for n in shape)
        return full(sizes, fill_value, wanted, a)


def full(shape: Shape, value: Any, dtype: np.dtype[Any], like: Tensor) -> Tensor:
    """An array of one value, with the rows of `like`."""
    filling = as_operand(value).astype(dtype)
    return filled(filling, shape, like).copy() if shape else filling


_like(np.full_like, None)


def _like_of(function: Any, value: float) -> None:
    @records(function)
    def like(a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *,
             device: Any = None) -> Any:  # fmt: skip
        return np.full_like(a, value, dtype=dtype, shape=shape)


_like_of(np.zeros_like, 0)
_like_of(np.ones_like, 1)
_like_of(np.empty_like, 0)
