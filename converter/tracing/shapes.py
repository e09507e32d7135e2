"""Shapes in which one size, None, is the number of rows and known only when the model runs."""

from collections.abc import Sequence
from itertools import zip_longest
from math import prod

from converter.tracing.errors import TracingError

Shape = tuple[int | None, ...]


def broadcast(*shapes: Shape) -> Shape:
    """The shape that numpy's broadcasting gives.

    Raises ValueError as numpy does, TracingError where rows would meet one another.
    """
    sizes: list[int | None] = []
    for column in zip_longest(*(shape[::-1] for shape in shapes), fillvalue=1):
        known = {size for size in column if size != 1}
        if len(known) > 1 and None not in known:
            raise ValueError(f"operands could not be broadcast together with shapes {describe(*shapes)}")
        if len(known) > 1:
            raise TracingError(
                f"arrays of shapes {describe(*shapes)} meet with their rows along different axes. "
                "Line them up: `[:, None]` gives one number a row a second axis."
            )
        sizes.append(known.pop() if known else 1)
    return one_batch(tuple(sizes[::-1]), *shapes)


def one_batch(shape: Shape, *given: Shape) -> Shape:
    """The shape itself. Raises TracingError when rows would lie along two of its axes."""
    if shape.count(None) > 1:
        raise TracingError(
            f"arrays of shapes {describe(*given)} would compare rows with one another: a device "
            "predicts one row at a time."
        )
    return shape


def describe(*shapes: Shape) -> str:
    """As people write them: (rows, 3) and (rows,)."""
    written = []
    for shape in shapes:
        sizes = ", ".join("rows" if size is None else str(size) for size in shape)
        written.append(f"({sizes},)" if len(shape) == 1 else f"({sizes})")
    return " and ".join(written)


def axis_index(axis: int, rank: int) -> int:
    """A negative axis counted from the front. Raises ValueError as numpy does."""
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is out of bounds for array of dimension {rank}")
    return axis % rank


def axes_within(axis: int | Sequence[int] | None, shape: Shape, doing: str) -> tuple[int, ...]:
    """The axes that a reduction reads. Raises TracingError when rows are among them."""
    given = range(len(shape)) if axis is None else [axis] if not isinstance(axis, Sequence) else axis
    axes = tuple(sorted(axis_index(int(item), len(shape)) for item in given))
    if any(shape[item] is None for item in axes):
        where = "the whole array" if axis is None else f"axis {axis}, which are the rows"
        raise TracingError(
            f"{doing} over {where}: a device predicts one row at a time. Compute it in `fit` and keep "
            "it, or give the axis of the features (`axis=1`)."
        )
    return axes


def batch_axis(shape: Shape) -> int:
    return shape.index(None)


def known(shape: Shape) -> tuple[int, ...]:
    """The sizes that are not the rows."""
    return tuple(size for size in shape if size is not None)


def count(shape: Sequence[int | None]) -> int:
    """How many numbers lie along the axes that are not the rows."""
    return prod(size for size in shape if size is not None)
