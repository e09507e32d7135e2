"""What numpy lacks and models need. Each works on arrays as well as on tensors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from converter.tracing.dispatch import FUNCTIONS
from converter.tracing.nodes import elementwise, expand, look_up, record
from converter.tracing.ordering import top
from converter.tracing.tensor import Tensor


def lookup(x: Any, keys: Sequence[str], default: int = -1) -> Any:
    """Texts (any shape, dtype object) to their place among `keys`, int64; `default` for any other."""
    names = [str(key) for key in keys]
    if isinstance(x, Tensor):
        return look_up(x, names, default)
    places = {key: place for place, key in enumerate(names)}
    texts = np.asarray(x, dtype=object)
    found = [places.get(item, default) for item in texts.ravel()]
    return np.array(found, np.int64).reshape(texts.shape)


def top_k(x: Any, k: int, largest: bool = False) -> tuple[Any, Any]:
    """The k smallest (or largest) along the last axis, in order, and their places, int64.

    Equal numbers come in the order of their places; nan counts as the largest.
    """
    if isinstance(x, Tensor):
        return top(x, k, x.ndim - 1, largest=largest)
    order = np.argsort(x, axis=-1, kind="stable")
    if largest:
        order = x.shape[-1] - 1 - np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1]
    order = order[..., :k].astype(np.int64)
    return np.take_along_axis(x, order, axis=-1), order


def take(a: Any, indices: Any, axis: int | None = None) -> Any:
    """As `np.take`, whose indices may be a tensor: numpy's protocol asks the first argument only."""
    return (FUNCTIONS[np.take] if isinstance(indices, Tensor) else np.take)(a, indices, axis=axis)


def mean(x: Any, axis: int, keepdims: bool = False) -> Any:
    """As `np.mean` of floats along one axis, in one node."""
    return _reduced("ReduceMean", x, axis, keepdims) if isinstance(x, Tensor) else np.mean(
        x, axis=axis, keepdims=keepdims
    )  # fmt: skip


def product(x: Any, matrix: ArrayLike) -> Any:
    """As `np.matmul` by a constant matrix with many rows.

    How numpy adds float32 depends on the processor, and long sums differ in their seventh digit; so it
    adds in float64 and rounds once.
    """
    if isinstance(x, Tensor) or x.dtype != np.float32:
        return np.matmul(x, matrix)
    return np.matmul(x.astype(np.float64), np.asarray(matrix, np.float64)).astype(np.float32)


def norm(x: Any, axis: int, keepdims: bool = False) -> Any:
    """The root of the sum of squares of floats along one axis, in one node."""
    if isinstance(x, Tensor):
        return _reduced("ReduceL2", x, axis, keepdims)
    return np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims))


def pad(x: Any, before: int, after: int, mode: Any = "constant") -> Any:
    """As `np.pad` along the last axis, which is not the rows: "constant" (zeros), "reflect", "edge"."""
    if not before and not after:
        return x
    if not isinstance(x, Tensor):
        return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(before, after)], mode=mode)
    ends = [0] * (x.ndim - 1)
    widths = np.array([*ends, before, *ends, after], np.int64)
    shape = (*x.sizes[:-1], int(x.sizes[-1] or 0) + before + after)
    return record("Pad", x, widths, dtype=x.dtype, shape=shape, mode=mode)


def largest(x: Any, axis: int, keepdims: bool = False) -> Any:
    """As `np.max` of floats, none of them nan, along one axis, in one node."""
    return _reduced("ReduceMax", x, axis, keepdims) if isinstance(x, Tensor) else np.max(
        x, axis=axis, keepdims=keepdims
    )  # fmt: skip


def smallest(x: Any, axis: int, keepdims: bool = False) -> Any:
    """As `np.min` of floats, none of them nan, along one axis, in one node."""
    return _reduced("ReduceMin", x, axis, keepdims) if isinstance(x, Tensor) else np.min(
        x, axis=axis, keepdims=keepdims
    )  # fmt: skip


def truncated(x: Any, by: Any) -> Any:
    """int64 divided by positive constants, towards zero, in one node; of none below 0 it is `//`."""
    if isinstance(x, Tensor):
        return elementwise("Div", x, np.asarray(by, np.int64))
    return (x - np.fmod(x, by)) // by


def correlate(x: Any, kernels: ArrayLike, stride: int) -> Any:
    """Every line (n, lines, samples) slid over by constant kernels (k, taps): (n, lines, k, places).

    Entry p is the sum of kernel times samples p * stride and on; whole kernels only, as a convolution in
    a network counts.
    """
    taps = np.asarray(kernels, x.dtype)
    count = (x.shape[-1] - taps.shape[1]) // stride + 1
    if not isinstance(x, Tensor):
        parts = np.lib.stride_tricks.sliding_window_view(x, taps.shape[1], axis=-1)
        return np.moveaxis(np.matmul(parts[:, :, ::stride], taps.T), -1, -2)
    lines = int(x.sizes[1] or 0)
    every = np.tile(taps, (lines, 1))[:, None]
    shape = (x.sizes[0], len(every), count)
    found = record(
        "Conv", x, every, dtype=x.dtype, shape=shape, group=lines, strides=[stride],
        kernel_shape=[taps.shape[1]],
    )  # fmt: skip
    return found.reshape(-1, lines, len(taps), count)


def _reduced(operator: str, x: Tensor, axis: int, keepdims: bool) -> Tensor:
    at = axis % x.ndim
    kept = (1,) if keepdims else ()
    shape = (*x.sizes[:at], *kept, *x.sizes[at + 1 :])
    return record(operator, x, dtype=x.dtype, shape=shape, axes=[at], keepdims=int(keepdims))


def constant_like(x: Any, row: ArrayLike) -> Any:
    """A constant row (m,) repeated for every row of x: (n, m)."""
    values = np.asarray(row)
    if isinstance(x, Tensor):
        return expand(values, x, (None, *values.shape))
    return np.broadcast_to(values, (len(x), *values.shape))
