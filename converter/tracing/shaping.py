# ruff: noqa: ARG001 -- the signatures are those of numpy
"""Other shapes and other order: nothing is computed here."""

from typing import Any

import numpy as np

from converter.tracing.dispatch import name_of, records
from converter.tracing.errors import TracingError
from converter.tracing.nodes import gather, record, reshape, shape_of, transpose
from converter.tracing.promote import as_operand, filled, first_tensor, is_tensor
from converter.tracing.rows import Rows
from converter.tracing.shapes import Shape, axis_index, batch_axis, broadcast, count, describe
from converter.tracing.tensor import Tensor


@records(np.shape)
def _shape(a: Any) -> Any:
    return first_tensor(a).shape if is_tensor(a) else as_operand(a).shape


@records(np.ndim)
def _ndim(a: Any) -> Any:
    return as_operand(a).ndim


@records(np.size)
def _size(a: Any, axis: Any = None) -> Any:
    return a.size if axis is None else a.shape[axis]


@records(np.copy)
def _copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    return as_operand(a).copy()


@records(np.transpose)
def _transpose(a: Any, axes: Any = None) -> Any:
    x = as_operand(a)
    order = tuple(range(x.ndim))[::-1] if axes is None else tuple(axis_index(n, x.ndim) for n in axes)
    back = tuple(int(n) for n in np.argsort(order))
    return transpose(x, order).viewed(
        x, lambda base: transpose(base, order), lambda base, value: base.assign(transpose(value, back))
    )


@records(np.swapaxes)
def _swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    order = list(range(a.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return np.transpose(a, order)


@records(np.moveaxis)
def _moveaxis(a: Any, source: Any, destination: Any) -> Any:
    axes = np.moveaxis(np.empty((1,) * a.ndim), source, destination)
    if isinstance(source, int):
        source, destination = [source], [destination]
    assert axes.ndim == a.ndim
    moved = dict(zip((axis_index(n, a.ndim) for n in destination),
                     (axis_index(n, a.ndim) for n in source), strict=True))  # fmt: skip
    rest = iter(n for n in range(a.ndim) if n not in moved.values())
    return np.transpose(a, [moved[n] if n in moved else next(rest) for n in range(a.ndim)])


def _same_numbers(x: Tensor, shape: Shape) -> Tensor:
    """Axes of size 1 more or less, which is always a view."""
    sizes = x.sizes
    return reshape(x, shape).viewed(
        x, lambda base: reshape(base, shape), lambda base, value: base.assign(reshape(value, sizes))
    )


@records(np.expand_dims)
def _expand_dims(a: Any, axis: Any) -> Any:
    axes = [axis] if isinstance(axis, int) else list(axis)
    rank = a.ndim + len(axes)
    where = {axis_index(n, rank) for n in axes}
    rest = iter(a.sizes)
    return _same_numbers(a, tuple(1 if n in where else next(rest) for n in range(rank)))


@records(np.squeeze)
def _squeeze(a: Any, axis: Any = None) -> Any:
    given = [axis] if isinstance(axis, int) else axis
    if given is None:
        where = {n for n, size in enumerate(a.sizes) if size == 1}
    else:
        where = {axis_index(n, a.ndim) for n in given}
    if any(a.sizes[n] != 1 for n in where):
        raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    return _same_numbers(a, tuple(size for n, size in enumerate(a.sizes) if n not in where))


def _at_least(function: Any, rank: int) -> None:
    @records(function)
    def at_least(*arrays: Any) -> Any:
        found = [as_operand(a) for a in arrays]
        found = [a[None] if a.ndim < rank else a for a in found]
        return found[0] if len(found) == 1 else found


_at_least(np.atleast_1d, 1)
_at_least(np.atleast_2d, 2)


@records(np.reshape)
def _reshape(
    a: Any, /, shape: Any = None, order: str = "C", *, newshape: Any = None, copy: Any = None
) -> Any:
    x = as_operand(a)
    if order not in ("C", "A", "K"):
        raise TracingError(f"np.reshape in order {order!r} has no ONNX form: transpose first.")
    wanted = newshape if shape is None else shape
    wanted = tuple(wanted) if isinstance(wanted, (tuple, list)) else (wanted,)
    sizes = _resolve(
        x.sizes, tuple(None if isinstance(n, Rows) or n is None else int(n) for n in wanted)
    )
    found = reshape(x, sizes)
    if found is x:
        found = x.copy()
    return found.viewed(x, None, None)


def _resolve(given: Shape, wanted: Shape) -> Shape:
    """The sizes asked for, with None where the rows stay."""
    at = batch_axis(given)
    before, after = count(given[:at]), count(given[at + 1 :])
    free = wanted.index(-1) if -1 in wanted else None
    if None in wanted and free is not None:
        place = wanted.index(None)
        side = wanted[:place] if free < place else wanted[place + 1 :]
        known = count([n for n in side if n != -1])
        total = before if free < place else after
        wanted = tuple((total // known if known else 0) if n == -1 else n for n in wanted)
    elif free is not None:
        wanted = tuple(None if n == -1 else n for n in wanted)
    if wanted.count(None) == 1:
        place = batch_axis(wanted)
        if count(wanted[:place]) == before and count(wanted[place + 1 :]) == after:
            return wanted
    raise TracingError(
        f"np.reshape of {describe(given)} to {describe(wanted)} would mix the rows, or fix how many "
        "there are: a shape such as `(-1, k)` keeps each row's own numbers together."
    )


@records(np.ravel)
def _ravel(a: Any, order: str = "C") -> Any:
    return _reshape(a, -1, order)


@records(np.broadcast_to)
def _broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    sizes = tuple(None if isinstance(n, Rows) else n for n in shape)
    like = first_tensor(array, *(n.tensor for n in shape if isinstance(n, Rows)))
    return filled(as_operand(array), sizes, like)


@records(np.broadcast_arrays)
def _broadcast_arrays(*arrays: Any, subok: bool = False) -> Any:
    found = [as_operand(a) for a in arrays]
    shape = broadcast(*map(shape_of, found))
    return tuple(filled(a, shape, first_tensor(*found)) for a in found)


def _along(x: Any, places: Any, axis: int, function: Any) -> Any:
    """Constant places along an axis that is not the rows."""
    at = axis_index(axis, x.ndim)
    if x.sizes[at] is None:
        raise TracingError(
            f"{name_of(function)} along the rows: a device predicts one row at a time. Give `axis=1`."
        )
    found = np.arange(x.sizes[at])[places] if not callable(places) else places(np.arange(x.sizes[at]))
    return gather(x, np.asarray(found, np.int64), at)


def _one_axis(axis: Any, function: Any) -> int:
    if axis is None or not isinstance(axis, (int, np.integer)):
        raise TracingError(f"{name_of(function)} over the whole array mixes the rows: give `axis=1`.")
    return int(axis)


@records(np.flip)
def _flip(m: Any, axis: Any = None) -> Any:
    return _along(m, np.s_[::-1], _one_axis(axis, np.flip), np.flip)


@records(np.fliplr)
def _fliplr(m: Any) -> Any:
    return np.flip(m, axis=1)


@records(np.roll)
def _roll(a: Any, shift: Any, axis: Any = None) -> Any:
    return _along(a, lambda places: np.roll(places, shift), _one_axis(axis, np.roll), np.roll)


@records(np.repeat)
def _repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    return _along(a, lambda places: np.repeat(places, repeats), _one_axis(axis, np.repeat), np.repeat)


@records(np.tile)
def _tile(A: Any, reps: Any) -> Any:
    x, counts = A, [reps] if isinstance(reps, int) else list(reps)
    counts = [1] * (x.ndim - len(counts)) + counts
    if len(counts) > x.ndim:
        x = np.reshape(x, (1,) * (len(counts) - x.ndim) + tuple(-1 if n is None else n for n in x.sizes))
    for axis, times in enumerate(counts):
        if times != 1:
            x = _along(x, lambda places, times=times: np.tile(places, times), axis, np.tile)
    return x


@records(np.take)
def _take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
    a, indices = as_operand(a), as_operand(indices)
    if out is not None or mode != "raise":
        raise TracingError("np.take with `out=` or `mode=` has no ONNX form.")
    if not is_tensor(indices):
        return _along(a, indices, _one_axis(axis, np.take), np.take)
    if is_tensor(a):
        raise TracingError("np.take at places that depend on data: np.take_along_axis takes one a row.")
    if axis is None:
        a, axis = a.ravel(), 0
    if indices.dtype.kind not in "iu":
        raise TypeError("indices of np.take must be whole numbers")
    return gather(a, indices.astype(np.int64), axis_index(axis, a.ndim))


@records(np.take_along_axis)
def _take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    arr, indices = as_operand(arr), as_operand(indices)
    at = axis_index(_one_axis(axis, np.take_along_axis), arr.ndim)
    like = first_tensor(arr, indices)
    if shape_of(arr)[at] is None or shape_of(indices)[at] is None:
        raise TracingError("np.take_along_axis along the rows: a device predicts one row at a time.")
    outer = broadcast(*((*shape_of(x)[:at], 1, *shape_of(x)[at + 1 :]) for x in (arr, indices)))
    data, places = (
        filled(x, (*outer[:at], shape_of(x)[at], *outer[at + 1 :]), like) for x in (arr, indices)
    )
    return record(
        "GatherElements", data, places.astype(np.int64), dtype=data.dtype, shape=places.sizes, axis=at
    )


def _split(function: Any, along: int | None) -> None:
    @records(function)
    def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
        at = axis_index(axis if along is None else along, ary.ndim)
        if ary.sizes[at] is None:
            raise TracingError(f"{name_of(function)} along the rows: give `axis=1`.")
        cut: Any = function if along is None else np.split
        bounds = np.cumsum([0, *map(len, cut(np.arange(ary.sizes[at]), indices_or_sections))])
        return [
            ary[(*(slice(None),) * at, slice(int(a), int(b)))]
            for a, b in zip(bounds[:-1], bounds[1:], strict=True)  # noqa: RUF007 -- arrays
        ]


_split(np.split, None)
_split(np.array_split, None)
_split(np.hsplit, 1)
