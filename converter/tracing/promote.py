"""Operands of one dtype, as numpy promotes them: Python's own numbers follow the arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from converter.tracing.errors import TracingError
from converter.tracing.nodes import cast, expand, shape_of
from converter.tracing.rows import Rows
from converter.tracing.shapes import Shape, broadcast
from converter.tracing.tensor import Tensor

_array_of = np.asarray  # under a name of its own: while an author's code is traced the other is replaced


def is_tensor(item: Any) -> bool:
    return isinstance(item, Tensor)


def as_operand(item: Any) -> Any:
    """A tensor as it is, an array of what else is given; a list that holds tensors is stacked."""
    if isinstance(item, Tensor):
        return item
    if isinstance(item, (list, tuple)) and any(map(_holds_tensor, item)):
        return np.stack([as_operand(part) for part in item])
    if isinstance(item, Rows):
        int(item)  # which says what it may be used for
    return _array_of(item)


def _holds_tensor(item: Any) -> bool:
    if isinstance(item, (list, tuple)):
        return any(map(_holds_tensor, item))
    return isinstance(item, Tensor)


def common_dtype(items: Sequence[Any]) -> np.dtype[Any]:
    """`np.result_type`, in which texts of any length are dtype object."""
    kinds = [item if type(item) in (int, float) else as_operand(item).dtype for item in items]
    texts = [isinstance(kind, np.dtype) and kind.kind in "OUS" for kind in kinds]
    if all(texts):
        return np.dtype(object)
    if any(texts):
        raise TracingError("texts and numbers meet in one array: encode the texts first.")
    return np.result_type(*kinds)


def promoted(items: Sequence[Any]) -> list[Any]:
    """Tensors and arrays of one dtype."""
    dtype = common_dtype(items)
    return [cast(as_operand(item), dtype) for item in items]


def filled(item: Any, shape: Shape, like: Tensor) -> Tensor:
    """An operand broadcast to a shape with the rows of `like`. Raises ValueError where it cannot be."""
    if shape_of(item) == shape:
        return item  # type: ignore[no-any-return]
    if broadcast(shape_of(item), shape) != shape:
        raise ValueError(f"could not broadcast {shape_of(item)} to {shape}")
    return expand(item, like, shape)


def first_tensor(*items: Any) -> Tensor:
    """The tensor among operands, wherever it is in lists."""
    for item in items:
        if isinstance(item, Tensor):
            return item
        if isinstance(item, (list, tuple)) and _holds_tensor(item):
            return first_tensor(*item)
    raise TracingError("a function of arrays was given an argument that cannot be traced.")
