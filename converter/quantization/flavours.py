"""What quantized numbers look like to each engine, and their scales."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from converter.quantization.ranges import Range

FlavourName = Literal["uint8", "int8"]


@dataclass(frozen=True)
class Flavour:
    """One way to quantize.

    dtype: of activations; weights are int8. is_symmetric: whether 0 is 0 in activations too.
    weight_limit: the largest weight. rounds_bias: whether biases are int32, as integer kernels add them.
    keeps: whether activations stay quantized from layer to layer, through what only moves them; where
    not, each layer's input is quantized and the engine fuses the rest.
    """

    name: FlavourName
    dtype: np.dtype[Any]
    is_symmetric: bool
    weight_limit: int
    rounds_bias: bool
    keeps: bool


FLAVOURS: dict[str, Flavour] = {
    # For ONNX Runtime on CPUs. Weights have seven bits: x86 with AVX2 but without VNNI adds two products
    # of uint8 and int8 in 16 bits and clips what does not fit. With eight bits the probabilities of a
    # small MobileNet there were up to 0.06 from those of a CPU with VNNI; 2 · 255 · 64 fits, and none
    # differed. See onnxruntime's page on quantization, "reduce_range".
    "uint8": Flavour("uint8", np.dtype(np.uint8), False, 64, rounds_bias=True, keeps=True),
    # For TensorRT, which takes int8 that is symmetric, and no bias of int32.
    "int8": Flavour("int8", np.dtype(np.int8), True, 127, rounds_bias=False, keeps=False),
}


@dataclass(frozen=True)
class Scale:
    """A number x is quantized to round(x / scale) + zero_point, clipped to the dtype's range."""

    scale: np.float32
    zero_point: int


def scale_of(found: Range, flavour: Flavour) -> Scale:
    """The scale of an activation."""
    if flavour.is_symmetric:
        return Scale(_positive(max(-found.low, found.high) / np.iinfo(flavour.dtype).max), 0)
    steps = int(np.iinfo(flavour.dtype).max)
    scale = _positive((found.high - found.low) / steps)
    return Scale(scale, int(np.clip(round(-found.low / float(scale)), 0, steps)))


def weight_scales(weight: NDArray[np.float32], axis: int, flavour: Flavour) -> NDArray[np.float32]:
    """One scale for each of a weight's outputs, (outputs,); their zero points are 0."""
    others = tuple(at for at in range(weight.ndim) if at != axis)
    largest = np.abs(weight).max(axis=others).astype(np.float64)
    # An output of which every weight is 0 has its bias in steps of some scale all the same.
    largest[largest == 0] = largest.max() or 1.0
    scales = np.maximum(largest / flavour.weight_limit, float(np.finfo(np.float32).tiny))
    return np.asarray(scales, np.float32)


def with_room_for(
    bias: NDArray[np.float32], scales: NDArray[np.float32], activation: np.float32
) -> NDArray[np.float32]:
    """Weight scales, enlarged where a bias in steps of activation · weight scale would not fit int32."""
    smallest = np.abs(bias.astype(np.float64)) / (float(activation) * 2.0**30)
    return np.asarray(np.maximum(scales, smallest), np.float32)


def rounded(
    values: NDArray[np.float32], scales: NDArray[Any], axis: int, dtype: Any, limit: int
) -> NDArray[Any]:
    """Numbers in whole steps of their output's scale, at most `limit` of them."""
    shape = [-1 if at == axis else 1 for at in range(values.ndim)]
    steps = np.rint(values.astype(np.float64) / scales.astype(np.float64).reshape(shape))
    return np.clip(steps, -limit, limit).astype(dtype)


def _positive(scale: float) -> np.float32:
    """A scale that float32 can divide by; 1 for what is always 0."""
    return np.float32(scale) if scale >= np.finfo(np.float32).tiny else np.float32(1)
