"""What goes into an ONNX model and comes out of it: names, dtypes, sizes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from converter.named import Wanted
from edge_runtime.errors import InputError, UnsupportedModelError

# What a device gives in place of a dtype that bundles do not have, and the graph casts.
_GIVEN_AS = {"float16": "float32", "int8": "int32", "int16": "int32", "uint16": "int32",
             "uint32": "int64", "uint64": "int64", "bool": "uint8"}  # fmt: skip
_KINDS = "biufO"


@dataclass(frozen=True)
class Port:
    """An input. sizes: at least one, numbers, or names where any size will do."""

    name: str
    dtype: np.dtype[Any]
    sizes: tuple[int | str, ...]

    @property
    def given_as(self) -> str:
        """The dtype of a bundle that stands for this one."""
        return _GIVEN_AS.get(self.dtype.name, self.dtype.name)

    @property
    def batch(self) -> int | None:
        """How many rows the file fixes, None where any number will do."""
        return self.sizes[0] if isinstance(self.sizes[0], int) else None

    @property
    def wanted(self) -> Wanted:
        """The same as `as_named` takes it."""
        sizes = tuple(size if isinstance(size, int) else None for size in self.sizes[1:])
        dtype = "string" if self.dtype.kind == "O" else self.given_as
        return Wanted(self.name, sizes, dtype)


def port(value: Any, subject: str) -> Port:
    """What a graph says of an input. Raises UnsupportedModelError for no tensor of ours."""
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
    if not tensor.shape.dim:
        raise UnsupportedModelError(
            f"{what}: expected a row for each input, found one number for all of them. Export the model "
            "with that number as a constant."
        )
    return Port(value.name, dtype, tuple(_sizes(tensor.shape)))


def _sizes(shape: Any) -> Iterator[int | str]:
    for at, size in enumerate(shape.dim):
        # Some exporters write a size that may vary as 0 or -1.
        yield size.dim_value if size.dim_value > 0 else size.dim_param or f"size_{at}"


def batch_of(ports: Sequence[Port]) -> int | None:
    """How many rows a file fixes, None where any number will do."""
    return next((port.batch for port in ports if port.batch is not None), None)


def check_inputs(port: Port, given: NDArray[Any], subject: str) -> None:
    """Whether inputs (n, …) fit. Raises InputError."""
    wanted, found = (each.dtype.kind == "O" for each in (port, given))
    if wanted != found:
        kinds = ("texts" if wanted else "numbers", "texts" if found else str(given.dtype))
        raise InputError(
            f"inputs: expected {kinds[0]}, which {port.name!r} of {subject} takes, found {kinds[1]}."
        )
    sizes = port.sizes[1:]
    fits = len(sizes) == given.ndim - 1
    if fits and all(isinstance(w, str) or w == g for w, g in zip(sizes, given.shape[1:], strict=True)):
        return
    shape = ", ".join(str(size) for size in ("inputs", *sizes))
    raise InputError(
        f"inputs: expected shape ({shape}), which {port.name!r} of {subject} takes; found "
        f"(inputs, {', '.join(map(str, given.shape[1:]))})."
    )
