"""Functions of single numbers."""

from typing import Any

import numpy as np

from converter.frontends.tensorflow.handlers.writing import Writer


def _erfc(ctx: Any, node: Any) -> None:
    write = Writer(ctx, node)
    (x,) = write.given
    write.done(write.op("Sub", write.like(1, x), write.op("Erf", x)))


def _log1p(ctx: Any, node: Any) -> None:
    """log(u) x / (u - 1) with u = 1 + x, rounded: what that loses cancels (Kahan, HP-15C handbook)."""
    write = Writer(ctx, node)
    (x,) = write.given
    one = write.like(1, x)
    u = write.op("Add", x, one)
    rest = write.op("Sub", u, one)
    is_lost = write.op("Equal", rest, write.like(0, x))
    safe = write.op("Where", is_lost, one, rest)
    log = write.op("Mul", write.op("Log", u), write.op("Div", x, safe))
    write.done(write.op("Where", is_lost, x, log))


def _expm1(ctx: Any, node: Any) -> None:
    """(u - 1) x / log(u) with u = exp(x), as for log1p; where that says nothing, u - 1 or x."""
    write = Writer(ctx, node)
    (x,) = write.given
    one, zero = write.like(1, x), write.like(0, x)
    u = write.op("Exp", x)
    rest, log = write.op("Sub", u, one), write.op("Log", u)
    is_small = write.op("Less", write.op("Abs", x), one)
    is_lost = write.op("Equal", log, zero)
    inner = write.op("Where", is_small, log, one)
    safe = write.op("Where", is_lost, one, inner)
    close = write.op("Mul", rest, write.op("Div", x, safe))
    found = write.op("Where", is_small, close, rest)
    write.done(write.op("Where", is_lost, x, found))


def _bucketize(ctx: Any, node: Any) -> None:
    """How many boundaries are not above each number: TensorFlow compares in float32, too."""
    write = Writer(ctx, node)
    (x,) = write.given
    boundaries = np.asarray(node.get_attr_value("boundaries"), np.float32)
    wide = write.op("Unsqueeze", write.cast(x, "float32"), write.constant(np.array([-1])))
    above = write.op("GreaterOrEqual", wide, write.constant(boundaries))
    count = write.op("ReduceSum", write.cast(above, "int32"), write.constant(np.array([-1])), keepdims=0)
    write.done(count)


def _one_hot(ctx: Any, node: Any) -> None:
    """On where an index is the place, else off: ONNX' own operator counts negative ones from the end."""
    write = Writer(ctx, node)
    indices, _, on, off = write.given
    axis = node.get_attr_value("axis", -1)
    rank = len(write.shape(indices))
    places = np.arange(int(write.known(1)), dtype=write.dtype(indices))
    at = rank if axis == -1 else axis
    wide = write.op("Unsqueeze", indices, write.constant(np.array([at])))
    beside = places.reshape(-1, *(1 for _ in range(rank - at)))
    write.done(write.op("Where", write.op("Equal", wide, write.constant(beside)), on, off))


def _floor_mod(ctx: Any, node: Any) -> None:
    write = Writer(ctx, node)
    write.done(_rest(write))


def _floor_div(ctx: Any, node: Any) -> None:
    write = Writer(ctx, node)
    x, y = write.given
    if write.dtype(x).kind == "f":
        write.done(write.op("Floor", write.op("Div", x, y)))
    else:
        write.done(write.op("Div", write.op("Sub", x, _rest(write)), y))


def _rest(write: Writer) -> str:
    """x - floor(x / y) y. ONNX's Div of whole numbers rounds towards 0, and so does the first rest; with
    one y more that is not between 0 and y, but cuts off to what is."""
    x, y = write.given
    if write.dtype(x).kind == "f":
        return write.op("Sub", x, write.op("Mul", write.op("Floor", write.op("Div", x, y)), y))
    more = write.op("Add", _cut(write, x, y), y)
    return _cut(write, more, y)


def _cut(write: Writer, x: str, y: str) -> str:
    """x less as many y as go into it."""
    return write.op("Sub", x, write.op("Mul", write.op("Div", x, y), y))


HANDLERS = {
    "Erfc": _erfc,
    "Log1p": _log1p,
    "Expm1": _expm1,
    "Bucketize": _bucketize,
    "OneHot": _one_hot,
    "FloorMod": _floor_mod,
    "FloorDiv": _floor_div,
}
