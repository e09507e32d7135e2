# ruff: noqa: ARG001, PLR0917 -- the signatures are those of numpy
"""Sorted, added up and differenced along an axis; places in sorted constants."""

from typing import Any

import numpy as np

from converter.tracing.dispatch import kernel_dtype, name_of, records
from converter.tracing.errors import TracingError
from converter.tracing.nodes import cast, gather, record, record_two
from converter.tracing.promote import as_operand, is_tensor
from converter.tracing.reductions import summed_dtype
from converter.tracing.shapes import axes_within, axis_index
from converter.tracing.tensor import Tensor


def top(x: Tensor, k: int, axis: int, *, largest: bool) -> tuple[Tensor, Tensor]:
    """TopK: the k first in order, equal ones by their place, nan as the largest; and their places."""
    shape = tuple(k if at == axis else size for at, size in enumerate(x.sizes))
    kernel = kernel_dtype(x.dtype)
    given = cast(x, np.int64 if kernel == np.bool_ else kernel)
    values, places = record_two(
        "TopK", given, np.array([k]), dtypes=(given.dtype, np.int64), shape=shape,
        axis=axis, largest=int(largest), sorted=1,
    )  # fmt: skip
    return cast(values, x.dtype), places


def _axis(axis: Any, x: Any, function: Any) -> int:
    (found,) = axes_within(axis if axis is not None or x.ndim == 1 else tuple(range(x.ndim)), x.sizes,
                           name_of(function))  # fmt: skip
    return found


@records(np.sort)
def _sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    at = _axis(axis, a, np.sort)
    return top(a, a.sizes[at], at, largest=False)[0]


@records(np.argsort)
def _argsort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    at = _axis(axis, a, np.argsort)
    return top(a, a.sizes[at], at, largest=False)[1]


@records(np.cumsum)
def _cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    at = _axis(axis, a, np.cumsum)
    wanted = np.dtype(dtype) if dtype is not None else summed_dtype(a.dtype)
    x = cast(cast(a, wanted), kernel_dtype(wanted))
    found = cast(record("CumSum", x, np.array(at, np.int64), dtype=x.dtype, shape=x.sizes), wanted)
    if out is None:
        return found
    out.assign(found, "same_kind")
    return out


@records(np.cumprod)
def _cumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    at = _axis(axis, a, np.cumprod)
    wanted = np.dtype(dtype) if dtype is not None else summed_dtype(a.dtype)
    x, before = cast(a, wanted), (slice(None),) * at
    products = [x[(*before, slice(0, 1))]]
    for place in range(1, a.sizes[at]):
        products.append(products[-1] * x[(*before, slice(place, place + 1))])
    return np.concatenate(products, axis=at)


@records(np.diff)
def _diff(
    a: Any, n: int = 1, axis: int = -1, prepend: Any = np._NoValue, append: Any = np._NoValue
) -> Any:
    if prepend is not np._NoValue or append is not np._NoValue:
        raise TracingError("np.diff with `prepend=` or `append=` has no ONNX form: concatenate first.")
    at = _axis(axis, a, np.diff)
    before = (slice(None),) * at
    for _ in range(n):
        late, early = a[(*before, slice(1, None))], a[(*before, slice(None, -1))]
        a = late != early if a.dtype == np.bool_ else late - early
    return a


@records(np.gradient)
def _gradient(f: Any, *spacing: Any, axis: Any = None, edge_order: int = 1) -> Any:
    if len(spacing) > 1 or any(np.ndim(step) for step in spacing) or edge_order != 1:
        raise TracingError("np.gradient has an ONNX form for one even spacing and edge_order=1.")
    step, at = (spacing[0] if spacing else 1.0), _axis(axis, f, np.gradient)
    x, before = (f if f.dtype.kind == "f" else f.astype(np.float64)), (slice(None),) * at

    def part(a: Any, b: Any) -> Any:
        return x[(*before, slice(a, b))]

    ends = [(part(1, 2) - part(0, 1)) / step, (part(-1, None) - part(-2, -1)) / step]
    return np.concatenate([ends[0], (part(2, None) - part(None, -2)) / (2.0 * step), ends[1]], axis=at)


@records(np.median)
def _median(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
            keepdims: bool = False) -> Any:  # fmt: skip
    a = a if a.dtype.kind == "f" else a.astype(np.float64)
    ordered, at = _ordered(a, axis, np.median)
    size, before = a.sizes[at], (slice(None),) * at
    low, high = (ordered[(*before, slice(n, n + 1))] for n in ((size - 1) // 2, size // 2))
    middle = low if size % 2 else (low + high) / 2
    return _finish(ordered, middle, at, keepdims=keepdims)


@records(np.quantile)
def _quantile(a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: Any = False,
              method: str = "linear", keepdims: bool = False, *,
              weights: Any = None) -> Any:  # fmt: skip
    if method != "linear" or weights is not None or is_tensor(q):
        raise TracingError("np.quantile has an ONNX form for method='linear' and constant q.")
    follows = type(q) in (int, float) and a.dtype.kind == "f"
    places = np.asarray(q, a.dtype if follows else None)
    a = a if a.dtype.kind == "f" else a.astype(np.float64)
    ordered, at = _ordered(a, axis, np.quantile)
    found = [
        _finish(ordered, _between(ordered, item, at), at, keepdims=keepdims) for item in places.ravel()
    ]
    return found[0] if places.ndim == 0 else np.stack(found)


def _between(ordered: Any, q: Any, at: int) -> Any:
    """numpy's linear interpolation, from the nearer end; q is a numpy number of its own dtype."""
    last, before = ordered.sizes[at] - 1, (slice(None),) * at
    place = last * q
    low = min(int(np.floor(place)), last)
    a, b = (ordered[(*before, slice(n, n + 1))] for n in (low, min(low + 1, last)))
    share = place - np.floor(place)
    return a + (b - a) * share if share < 0.5 else b - (b - a) * (1 - share)


@records(np.percentile)
def _percentile(a: Any, q: Any, axis: Any = None, *args: Any, **options: Any) -> Any:
    hundred = a.dtype.type(100) if a.dtype.kind == "f" else 100
    return np.quantile(a, np.true_divide(q, hundred), axis, *args, **options)


def _ordered(a: Any, axis: Any, function: Any) -> tuple[Any, int]:
    at = _axis(axis, a, function)
    return top(a, a.sizes[at], at, largest=False)[0], at


def _finish(ordered: Any, found: Any, at: int, *, keepdims: bool) -> Any:
    last = ordered[(*(slice(None),) * at, slice(-1, None))]  # where a nan is, if there is one
    found = np.where(np.isnan(last), np.nan, found)
    return found if keepdims else np.squeeze(found, axis=at)


@records(np.searchsorted)
def _searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """A binary search in step, all numbers at once: about log2(len(a)) reads of the constants."""
    if is_tensor(a) or sorter is not None:
        raise TracingError("np.searchsorted has an ONNX form for sorted constants and no `sorter`.")
    from converter.tracing.promote import promoted

    keys, x = promoted([np.asarray(a), v])
    depth = len(keys).bit_length()
    if keys.dtype.kind != "f":
        keys, x = keys.astype(np.int64), cast(x, np.int64)
        rest: Any = np.iinfo(np.int64).max
    else:
        rest = np.nan
    padded = np.concatenate([keys, np.full(2**depth - 1 - len(keys), rest, keys.dtype)])
    place: Any = None
    for level in reversed(range(depth)):
        after = np.int64(2**level) if place is None else place + 2**level
        key = _taken(padded, after - 1)
        is_before = key < x if side == "left" else key <= x
        if x.dtype.kind == "f":
            is_before = is_before | np.isnan(x)
        place = np.where(is_before, after, np.int64(0) if place is None else place)
    if place is None:
        return np.zeros_like(x, dtype=np.int64)
    return np.minimum(place, len(keys))


@records(np.digitize)
def _digitize(x: Any, bins: Any, right: bool = False) -> Any:
    edges = np.asarray(bins)
    side: Any = "left" if right else "right"
    if len(edges) > 1 and edges[0] > edges[-1]:
        return len(edges) - _searchsorted(edges[::-1], x, side)
    return _searchsorted(edges, x, side)


def _taken(constant: Any, places: Any) -> Any:
    """Entries of a constant (k,), at places that may be a tensor."""
    return gather(constant, places, 0) if is_tensor(places) else np.take(constant, places)


@records(np.interp)
def _interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    if is_tensor(xp) or is_tensor(fp) or period is not None:
        raise TracingError("np.interp has an ONNX form for constant xp and fp and no `period`.")
    xp, fp, x = np.asarray(xp, np.float64), np.asarray(fp, np.float64), as_operand(x).astype(np.float64)
    place = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, max(len(xp) - 2, 0))
    with np.errstate(all="ignore"):
        slopes = np.append(np.diff(fp) / np.diff(xp), 0.0)
    found = _taken(slopes, place) * (x - _taken(xp, place)) + _taken(fp, place)
    found = np.where(x == xp[-1], fp[-1], found)
    found = np.where(x < xp[0], fp[0] if left is None else left, found)
    found = np.where(x > xp[-1], fp[-1] if right is None else right, found)
    return np.where(np.isnan(x), np.nan, found)


__all__ = ["axis_index", "top"]
