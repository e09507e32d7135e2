"""Windows with the samples last: ONNX Runtime is slow where a few axes lie innermost."""

import numpy as np

from converter.blocks.base import Array
from converter.tracing import ops

_RESOLVED = 1e-6  # of a constant: what is smaller is how float32 rounds it


def lines(x: Array) -> Array:
    """Windows (n, samples, axes) with the samples last: (n, axes, samples)."""
    _, length, axes = x.shape
    return x.reshape(-1, 1, length) if axes == 1 else np.swapaxes(x, 1, 2)


def windows(x: Array) -> Array:
    """The inverse of `lines`."""
    _, axes, length = x.shape
    return x.reshape(-1, length, 1) if axes == 1 else np.swapaxes(x, 1, 2)


def level(x: Array) -> Array:
    """Lines (n, axes, samples) less their mean; of a constant exactly 0.

    The first sample is taken out before the mean is taken: a small movement on a large offset keeps its
    digits.
    """
    moved = x - x[:, :, :1]
    return moved - ops.mean(moved, axis=2, keepdims=True)


def rounding(constant: Array) -> Array:
    """The amplitude that float32's rounding of a constant may be taken for; above 0."""
    return np.maximum(np.abs(constant) * np.float32(_RESOLVED), np.float32(1e-15))
