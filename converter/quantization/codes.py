"""Constants written as codes: the nodes that make the numbers again, and the bytes that takes.

Both engines compute such nodes once. ONNX Runtime does while it loads, and keeps what all of them make
until it is done: for it they are few. TensorRT takes no 16-bit integers, and int8 only in front of a
DequantizeLinear, which ONNX Runtime does not fold: for it every code is uint8.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Engine = Literal["onnxruntime", "tensorrt"]

_BASE = 256
_FRAME = 4  # bytes that say what follows and how long it is
_HALF_LARGEST = float(np.finfo(np.float16).max)
# Below it float16 has fewer than 11 bits: its smallest numbers are 2^-24 apart.
_HALF_PRECISE_FROM = 2.0**-13


class Restoring:
    """Constants and nodes that make values of a graph again; all names start with `prefix`.

    restored: the constants of the graph that are not needed any more.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []
        self.restored: list[str] = []

    @property
    def size_bytes(self) -> int:
        """How much of the file it takes, or a little more."""
        return sum(each.ByteSize() + _FRAME for each in (*self.nodes, *self.tensors))

    def constant(self, array: NDArray[Any]) -> str:
        name = f"{self.prefix}.stored.{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; returns that output."""
        name = f"{self.prefix}.restored.{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def whole(self, numbers: NDArray[Any], dtype: int) -> str:
        """Whole numbers from 0, of any shape, as a value of an element type that holds them."""
        narrow = np.min_scalar_type(int(np.max(numbers, initial=0)))
        return self.node("Cast", self.constant(np.asarray(numbers).astype(narrow)), to=dtype)

    def scaled(self, codes: NDArray[Any], zero: int, scale: NDArray[Any]) -> str:
        """(codes - zero) · scale, in the dtype of `scale`, which spreads over the shape of `codes`."""
        dtype = helper.np_dtype_to_tensor_dtype(scale.dtype)
        if zero:
            narrow = np.int8 if zero <= _BASE // 2 else np.int16
            signed = self.constant((np.asarray(codes) - zero).astype(narrow))
            made = self.node("Cast", signed, to=dtype)
        else:
            made = self.whole(codes, dtype)
        return self.node("Mul", made, self.constant(scale))

    def finish(self, value: str, name: str) -> None:
        """Call a value, which no node has read yet, as the graph's constant was called."""
        (maker,) = (node for node in self.nodes if node.output[0] == value)
        maker.output[0] = name
        self.restored.append(name)


class RestoringForTensorRT(Restoring):
    """The same in uint8, larger numbers in several, as digits to the base of 256.

    ONNX Runtime takes it too. Of 134 MB in float32 its peak at load was 460 MB for int8 and 990 MB for
    int16, beside 340 and 360 MB for what is written for it, and 200 MB for float32.
    """

    def whole(self, numbers: NDArray[Any], dtype: int) -> str:
        rest = np.asarray(numbers, np.int64)
        made = self.node("Cast", self.constant((rest % _BASE).astype(np.uint8)), to=dtype)
        worth = 1
        while (rest := rest // _BASE).any():
            worth *= _BASE
            digit = self.node("Cast", self.constant((rest % _BASE).astype(np.uint8)), to=dtype)
            scale = self.constant(np.array(worth, helper.tensor_dtype_to_np_dtype(dtype)))
            made = self.node("Add", made, self.node("Mul", digit, scale))
        return made

    def scaled(self, codes: NDArray[Any], zero: int, scale: NDArray[Any]) -> str:
        made = self.whole(codes, helper.np_dtype_to_tensor_dtype(scale.dtype))
        if zero:
            made = self.node("Sub", made, self.constant(np.array(zero, scale.dtype)))
        return self.node("Mul", made, self.constant(scale))


RESTORING: dict[Engine, type[Restoring]] = {
    "onnxruntime": Restoring,
    "tensorrt": RestoringForTensorRT,
}


def as_float16(array: NDArray[Any]) -> NDArray[np.float16] | None:
    """The nearest float16 numbers; None where they would not do.

    They do where each finite number stays finite, and the largest keeps all of its 11 bits: all others
    err by no more, against the largest, than it does.
    """
    sizes = np.abs(array[np.isfinite(array)])
    largest = float(sizes.max(initial=0.0))
    if largest > _HALF_LARGEST or 0 < largest < _HALF_PRECISE_FROM:
        return None
    return array.astype(np.float16)


def symmetric(
    array: NDArray[Any], levels: int, reduced: Sequence[int]
) -> tuple[NDArray[np.int64], int, NDArray[Any]]:
    """Codes, their zero, and a scale for each slice, so that (codes - zero) · scale is near the array.

    levels: how many codes there are; of those an odd number is used, as many below zero as above.
    reduced: the axes that one scale is shared along. Zeros stay zeros, and no number errs by more than
    half of its scale.
    """
    zero = levels // 2
    exact = array.astype(np.float64)
    largest = np.abs(exact).max(axis=tuple(reduced), keepdims=True, initial=0.0)
    scale = np.where(largest > 0, largest / (zero - 1), 1.0).astype(array.dtype)
    scale = np.maximum(scale, np.finfo(array.dtype).smallest_normal)
    codes = np.rint(exact / scale.astype(np.float64)) + zero
    return np.clip(codes, 1, levels - 1).astype(np.int64), zero, scale
