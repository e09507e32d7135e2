"""What goes into an ONNX model and comes out of it: names, dtypes, sizes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import helper

from edge_runtime.errors import InputError, UnsupportedModelError

# What a device gives in place of a dtype that bundles do not have, and the graph casts.
_GIVEN_AS = {"float16": "float32", "int8": "int32", "int16": "int32", "uint16": "int32",
             "uint32": "int64", "uint64": "int64", "bool": "uint8"}  # fmt: skip
_KINDS = "biufO"


@dataclass(frozen=True)
class Port:
    """An input or output. sizes: numbers, or names where any size will do; None where the file does not
    say how many there are."""

    name: str
    dtype: np.dtype[Any]
    sizes: tuple[int | str, ...] | None

    @property
    def given_as(self) -> str:
        """The dtype of a bundle that stands for this one."""
        return _GIVEN_AS.get(self.dtype.name, self.dtype.name)

    @property
    def batch(self) -> int | None:
        """How many rows the file fixes, None where any number will do."""
        first = self.sizes[0] if self.sizes else ""
        return first if isinstance(first, int) else None


def port(value: Any, subject: str) -> Port:
    """What a graph says of an input or output. Raises UnsupportedModelError for no tensor of ours."""
    kind = value.type.WhichOneof("value")
    what = f"{subject}: {value.name[:100]!r}"
    if kind != "tensor_type":
        raise UnsupportedModelError(
            f"{what}: expected a tensor, found a {(kind or 'value').removesuffix('_type')}. Export the "
            "model with tensors alone."
        )
    tensor = value.type.tensor_type
    dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    if dtype.kind not in _KINDS:
        raise UnsupportedModelError(
            f"{what}: expected numbers of numpy's dtypes or texts, found {dtype}. Export the model in "
            "float32."
        )
    sizes = tuple(_sizes(tensor.shape)) if tensor.HasField("shape") else None
    return Port(value.name, dtype, sizes)


def _sizes(shape: Any) -> Iterator[int | str]:
    for at, size in enumerate(shape.dim):
        yield size.dim_value if size.HasField("dim_value") else size.dim_param or f"size_{at}"


def check_shape(port: Port, shape: tuple[int, ...], subject: str) -> None:
    """Whether inputs of `shape`, the batch not counted, fit. Raises InputError."""
    if port.sizes is None:
        return
    own = port.sizes[1:]
    fits = port.sizes and len(own) == len(shape)
    if fits and all(isinstance(w, str) or w == g for w, g in zip(own, shape, strict=True)):
        return
    wanted = ", ".join(str(size) for size in ("inputs", *own))
    if not port.sizes:
        wanted = "one number, without inputs in rows"
    raise InputError(
        f"inputs: expected shape ({wanted}), which {port.name!r} of {subject} takes; found "
        f"(inputs, {', '.join(map(str, shape))})."
    )
