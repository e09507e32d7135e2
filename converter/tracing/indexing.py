"""Reading and writing parts of an array. Places along the rows are never chosen."""

from typing import Any

import numpy as np

from converter.tracing.dispatch import FUNCTIONS
from converter.tracing.errors import TracingError
from converter.tracing.nodes import cast, concat, gather, record, reshape, shape_of, transpose
from converter.tracing.promote import as_operand, filled
from converter.tracing.shapes import batch_axis, broadcast, count, known
from converter.tracing.tensor import Tensor

_ROWS = (
    "an index picks or reorders rows: a device predicts one row at a time. Index the columns, as in "
    "`X[:, 0]`, and keep all rows."
)


def get_item(x: Tensor, index: Any) -> Any:
    """`x[index]`; a view where numpy gives one."""
    items = _expanded(x, index)
    found = _read(x, items)
    if any(_is_array(item) for item in items):
        return found
    return found.viewed(
        x, lambda base: _read(base, items), lambda base, value: set_item(base, index, value)
    )


def set_item(x: Tensor, index: Any, value: Any) -> None:
    """`x[index] = value`."""
    value = as_operand(value)
    if isinstance(index, Tensor):
        _write_where(x, index, value)
        return
    items = _expanded(x, index)
    at, rest = _rest(x, items)
    before = items[: _batch_item(x, items)]
    if at:  # the rows are not the first axis of x, but may be of the part
        if not all(isinstance(item, (int, np.integer)) for item in before):
            raise TracingError(
                "a part is written whose rows are not its first axis: transpose the array."
            )
        moved: Any = FUNCTIONS[np.moveaxis](x, at, 0)
        set_item(moved, (slice(None), *rest), value)
        return
    sizes = known(x.sizes[1:])
    places = np.arange(count(sizes)).reshape(sizes)[rest]
    shape = (1,) * len(before) + (None, *places.shape)  # nothing but new axes can be before the rows
    if broadcast(shape_of(value), shape) != shape:
        raise ValueError(
            f"could not broadcast input array from shape {shape_of(value)} into shape {shape}"
        )
    part = filled(cast(value, x.dtype), shape, x)
    part = reshape(part, (None, places.size))
    whole = reshape(x, (None, count(sizes)))
    order = np.arange(count(sizes))
    order[places.ravel()] = count(sizes) + np.arange(places.size)
    written = part if places.size == order.size and (np.diff(order) == 1).all() else gather(
        concat([whole, part], 1), order, 1
    )  # fmt: skip
    x.assign(reshape(written, x.sizes))


def _write_where(x: Tensor, mask: Tensor, value: Any) -> None:
    """`x[mask] = value`, the mask being computed from data."""
    if mask.dtype != np.bool_:
        raise TracingError(
            "data is written to places that depend on data: use np.where(condition, a, b)."
        )
    if mask.sizes != x.sizes[: mask.ndim]:
        raise TracingError("a mask must have the shape of the array, or one condition a row.")
    extra = x.ndim - mask.ndim
    if isinstance(value, Tensor) or (np.ndim(value) > extra):
        raise TracingError(
            "data is written through a mask: how many numbers that are depends on data. Write "
            "`X = np.where(mask, new, X)`, with `new` computed for all rows."
        )
    condition = reshape(mask, (*mask.sizes, *(1,) * extra)) if extra else mask
    x.assign(np.where(condition, cast(value, x.dtype), x))


def _is_number(item: Any) -> bool:
    return isinstance(item, np.ndarray) and not item.ndim and item.dtype.kind in "iu"


def _is_array(item: Any) -> bool:
    return isinstance(item, (np.ndarray, list, tuple)) and not isinstance(item, np.generic)


def _expanded(x: Tensor, index: Any) -> list[Any]:
    """One entry an axis (None adds one), constant arrays as arrays; refuses what depends on data."""
    items = list(index) if isinstance(index, tuple) else [index]
    if any(isinstance(item, Tensor) for item in items):
        raise TracingError(
            "an index that depends on data: use np.where(condition, a, b), np.take_along_axis, or "
            "np.take(constant, index, axis=0)."
        )
    items = [np.asarray(item) if isinstance(item, (list, tuple)) else item for item in items]
    items = [int(item) if _is_number(item) else item for item in items]
    used = sum(_axes(item) for item in items)
    dots = [n for n, item in enumerate(items) if item is Ellipsis]
    if used > x.ndim or len(dots) > 1:
        raise IndexError(f"too many indices for an array of {x.ndim} dimensions")
    place = dots[0] if dots else len(items)
    return items[:place] + [slice(None)] * (x.ndim - used) + items[place + 1 :]


def _axes(item: Any) -> int:
    """How many axes an entry of an index reads."""
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if isinstance(item, np.ndarray) and item.dtype == np.bool_ else 1


def _batch_item(x: Tensor, items: list[Any]) -> int:
    """Which entry stands at the rows; refuses all but `:`."""
    axis, place = 0, 0
    for place, item in enumerate(items):
        width = _axes(item)
        if axis <= batch_axis(x.sizes) < axis + width:
            if isinstance(item, slice) and item.indices(2**40) in ((0, 2**40, 1),) and item.stop is None:
                return place
            raise TracingError(_ROWS)
        axis += width
    return place


def _rest(x: Tensor, items: list[Any]) -> tuple[int, tuple[Any, ...]]:
    """Where the rows are, and the index of all other axes."""
    place = _batch_item(x, items)
    arrays = [n for n, item in enumerate(items) if _is_array(item)]
    if arrays:
        chosen = [
            n for n, item in enumerate(items) if _is_array(item) or isinstance(item, (int, np.integer))
        ]
        if chosen[-1] - chosen[0] + 1 != len(chosen):
            raise TracingError("arrays of places on both sides of a slice: index in two steps.")
    return batch_axis(x.sizes), tuple(item for n, item in enumerate(items) if n != place)


def _read(x: Tensor, items: list[Any]) -> Tensor:
    place = _batch_item(x, items)
    at, rest = _rest(x, items)
    single = _single_axis(x, items)
    if single is not None:
        return single
    others = [item for n, item in enumerate(items) if n != place]
    before = others[:place]
    if at and (any(_is_array(item) for item in items)):
        raise TracingError("an array of places where the rows are not the first axis: transpose first.")
    sizes = known(x.sizes)
    first = np.arange(count(sizes)).reshape(sizes)
    places = first[rest]
    moved = x if not at else transpose(x, (at, *(n for n in range(x.ndim) if n != at)))
    same = places.size == first.size and np.array_equal(places.ravel(), first.ravel())
    flat = moved if same else gather(reshape(moved, (None, count(sizes))), places, 1)
    found = reshape(flat, (None, *places.shape))
    lead = sum(1 for item in before if item is None or isinstance(item, slice))
    if not lead:
        return found
    order = [*range(1, lead + 1), 0, *range(lead + 1, found.ndim)]
    if all(size == 1 for size in places.shape[:lead]):
        return reshape(found, (*places.shape[:lead], None, *places.shape[lead:]))
    return record(
        "Transpose", found, dtype=x.dtype, shape=tuple(found.sizes[n] for n in order), perm=order
    )


def _single_axis(x: Tensor, items: list[Any]) -> Tensor | None:
    """Where one axis alone is indexed: a Slice or Gather along it."""
    busy = [n for n, item in enumerate(items) if _is_array(item) or item != slice(None)]
    if len(busy) != 1 or items[busy[0]] is None:
        return x.copy() if not busy else None
    axis = busy[0]
    item, size = items[axis], int(x.sizes[axis] or 0)
    if isinstance(item, slice):
        found = range(size)[item]
        shape = (*x.sizes[:axis], len(found), *x.sizes[axis + 1 :])
        if found.step != 1 or not found:
            return gather(x, np.array(found, np.int64), axis)
        bounds = [np.array([n], np.int64) for n in (found.start, found.stop, axis)]
        return record("Slice", x, *bounds, dtype=x.dtype, shape=shape)
    if _is_array(item) and item.dtype == np.bool_ and item.ndim > 1:
        return None
    if not _is_array(item) and not isinstance(item, (int, np.integer)):
        raise IndexError(f"an array cannot be indexed by {item!r}")
    places = np.asarray(np.arange(size)[item], np.int64)
    return gather(x, places, axis)
