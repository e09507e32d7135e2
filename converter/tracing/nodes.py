"""Single nodes with their dtypes and shapes: what everything else here is made of."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from onnx import helper

from converter.graph import ML
from converter.tracing.dispatch import kernel_dtype
from converter.tracing.errors import TracingError
from converter.tracing.shapes import Shape, batch_axis, broadcast
from converter.tracing.tensor import Tensor


def record(
    operator: str, *inputs: Any, dtype: DTypeLike, shape: Shape, domain: str = "", **attributes: Any
) -> Tensor:
    """Write a node with one output; inputs are tensors, arrays (constants) or None (left out)."""
    graph = next(item.graph for item in inputs if isinstance(item, Tensor))
    names = [_name(graph, item) for item in inputs]
    output = graph.node(operator, *names, domain=domain, **attributes)
    return Tensor(graph, output, np.dtype(dtype), shape)


def record_two(operator: str, *inputs: Any, dtypes: Any, shape: Shape, **attributes: Any) -> Any:
    """Write a node with two outputs of one shape."""
    graph = next(item.graph for item in inputs if isinstance(item, Tensor))
    names = [_name(graph, item) for item in inputs]
    outputs = graph.nodes_of(operator, *names, outputs=2, **attributes)
    return tuple(Tensor(graph, name, np.dtype(dtype), shape)
                 for name, dtype in zip(outputs, dtypes, strict=True))  # fmt: skip


def _name(graph: Any, item: Any) -> str:
    if item is None:
        return ""
    return item.name if isinstance(item, Tensor) else graph.constant(np.asarray(item))


def shape_of(item: Any) -> Shape:
    """Of a tensor or anything numpy makes an array of, with None for the rows."""
    return item.sizes if isinstance(item, Tensor) else np.shape(item)


def elementwise(operator: str, *operands: Any, dtype: DTypeLike | None = None) -> Tensor:
    """A node that broadcasts its operands; of the first one's dtype unless another is given."""
    found = operands[0].dtype if dtype is None else dtype
    return record(operator, *operands, dtype=found, shape=broadcast(*map(shape_of, operands)))


def cast(x: Any, dtype: DTypeLike) -> Any:
    """As `astype`: the same tensor where it has the dtype already."""
    wanted = np.dtype(dtype)
    if not isinstance(x, Tensor):
        return np.asarray(x, wanted)
    if x.dtype == wanted:
        return x
    if "O" in (x.dtype.kind, wanted.kind) or wanted.kind not in "biuf":
        raise TracingError(
            f"an array of {_kind(x.dtype)} cannot become one of {_kind(wanted)} on a device: encode "
            "texts with OneHotEncoder or OrdinalEncoder."
        )
    if x.dtype.kind == "f" and wanted.kind in "iu" and wanted.itemsize < 8:
        x = cast(x, np.int64)  # numpy wraps, and so do casts between whole numbers
    to = helper.np_dtype_to_tensor_dtype(wanted)
    return record("Cast", x, dtype=wanted, shape=x.sizes, to=to)


def _kind(dtype: np.dtype[Any]) -> str:
    return "texts" if dtype.kind in "OUS" else f"dtype {dtype}"


def reshape(x: Tensor, shape: Shape) -> Tensor:
    """Known sizes; the rows stay the rows."""
    if x.sizes == shape:
        return x
    sizes = np.array([-1 if size is None else size for size in shape], np.int64)
    if 0 not in shape:
        return record("Reshape", x, sizes, dtype=x.dtype, shape=shape)
    rows, axis = row_count(x), batch_axis(shape)  # beside a size of 0, -1 could be anything
    parts = [part for part in (sizes[:axis], rows, sizes[axis + 1 :]) if shape_of(part) != (0,)]
    target = record("Concat", *parts, dtype=np.int64, shape=(len(shape),), axis=0)
    return record("Reshape", x, target, dtype=x.dtype, shape=shape, allowzero=1)


def row_count(x: Tensor) -> Tensor:
    """The number of rows, int64 (1,): for the shapes of other nodes only, it is no array of rows."""
    axis = batch_axis(x.sizes)
    return record("Shape", x, dtype=np.int64, shape=(1,), start=axis, end=axis + 1)


def expand(value: Any, like: Tensor, shape: Shape) -> Tensor:
    """`value` broadcast to `shape`, with as many rows as `like` has."""
    axis = batch_axis(shape)
    sizes = np.array([1 if size is None else size for size in shape], np.int64)
    parts = [
        part for part in (sizes[:axis], row_count(like), sizes[axis + 1 :]) if shape_of(part) != (0,)
    ]
    target = parts[0] if len(parts) == 1 else record(
        "Concat", *parts, dtype=np.int64, shape=(len(shape),), axis=0
    )  # fmt: skip
    value = value if isinstance(value, Tensor) else np.asarray(value)
    return record("Expand", value, target, dtype=value.dtype, shape=shape)


def gather(x: Any, indices: Any, axis: int) -> Tensor:
    """`np.take` along one axis."""
    sizes = shape_of(x)
    shape = sizes[:axis] + shape_of(indices) + sizes[axis + 1 :]
    dtype = x.dtype
    return record("Gather", x, indices, dtype=dtype, shape=shape, axis=axis)


def concat(parts: list[Any], axis: int) -> Tensor:
    """Parts of one dtype, equal along all other axes."""
    sizes = [shape_of(part) for part in parts]
    total = sum(int(shape[axis] or 0) for shape in sizes)
    shape = (*sizes[0][:axis], total, *sizes[0][axis + 1 :])
    if len(parts) == 1:
        return parts[0]  # type: ignore[no-any-return]
    return record("Concat", *parts, dtype=parts[0].dtype, shape=shape, axis=axis)


def transpose(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    shape = tuple(x.sizes[axis] for axis in axes)
    return record("Transpose", x, dtype=x.dtype, shape=shape, perm=list(axes))


def choose(condition: Any, a: Any, b: Any) -> Tensor:
    """`np.where` of a bool condition and two operands of one dtype."""
    dtype = a.dtype
    if dtype == np.bool_:
        return (condition & a) | (~condition & b)  # type: ignore[no-any-return]
    if dtype.kind == "O":
        return elementwise("Where", condition, a, b, dtype=dtype)
    kernel = kernel_dtype(dtype)
    found = elementwise("Where", condition, cast(a, kernel), cast(b, kernel), dtype=kernel)
    return cast(found, dtype)  # type: ignore[no-any-return]


def look_up(x: Tensor, keys: list[str], default: int) -> Tensor:
    """Texts to their place among keys, int64."""
    return record(
        "LabelEncoder", x, dtype=np.int64, shape=x.sizes, domain=ML,
        keys_strings=keys, values_int64s=list(range(len(keys))), default_int64=default,
    )  # fmt: skip
