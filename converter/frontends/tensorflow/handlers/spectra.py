"""The discrete Fourier transform of real numbers, as two constant matrices.

ONNX knows no complex numbers. Here a complex tensor has its real parts and its imaginary parts one
after the other on a new first axis, until an operator makes real numbers of them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.frontends.tensorflow.handlers.writing import Writer

_TAKE_COMPLEX = {"Real", "Imag", "ComplexAbs"}


def _rfft(ctx: Any, node: Any) -> None:
    write = Writer(ctx, node)
    if others := {each.type for each in ctx.find_output_consumers(node.output[0])} - _TAKE_COMPLEX:
        raise write.refusal(
            f"its complex numbers read by {', '.join(sorted(_TAKE_COMPLEX))} only, found "
            f"{', '.join(sorted(others))}"
        )
    x, length = write.given[0], int(write.known(1).reshape(-1)[0])
    if (size := write.shape(x)[-1]) < 1:
        raise write.refusal("frames of a known length")
    x, window = _without_window(ctx, node, x, size)
    matrices = _transform(size, length) * window[:, None]
    real, imaginary = (
        write.op("Unsqueeze", write.op("MatMul", x, write.constant(matrix)), _first(write))
        for matrix in (matrices.real.astype(np.float32), matrices.imag.astype(np.float32))
    )
    write.done(write.op("Concat", real, imaginary, axis=0))


def _without_window(ctx: Any, node: Any, x: str, size: int) -> tuple[str, NDArray[np.float64]]:
    """What is multiplied by a constant window in front of the transform, and that window."""
    product = node.inputs[0]
    if product.type == "Mul" and len(ctx.find_output_consumers(x)) == 1:
        for at, factor in enumerate(product.inputs):
            if factor.is_const():
                window = np.asarray(factor.get_tensor_value(as_list=False), np.float64)
                if window.shape == (size,):
                    return product.input[1 - at], window
    return x, np.ones(size)


def _transform(size: int, length: int) -> NDArray[np.complex128]:
    """(size, length // 2 + 1), for a frame of `size` that is cut or filled up to `length`."""
    n, k = np.arange(size)[:, None], np.arange(length // 2 + 1)
    # n k is taken modulo the length while it is a whole number: the angle keeps its digits.
    waves = np.exp(-2j * np.pi * ((n * k) % length) / length)
    return np.where(n < length, waves, 0)


def _first(write: Writer) -> str:
    return write.constant(np.array([0]))


def _part(which: int) -> Any:
    def handle(ctx: Any, node: Any) -> None:
        write = Writer(ctx, node)
        write.done(write.op("Gather", write.given[0], write.constant(np.array(which)), axis=0))

    return handle


def _absolute(ctx: Any, node: Any) -> None:
    write = Writer(ctx, node)
    squares = write.op("Mul", write.given[0], write.given[0])
    write.done(write.op("Sqrt", write.op("ReduceSum", squares, _first(write), keepdims=0)))


HANDLERS = {"RFFT": _rfft, "Real": _part(0), "Imag": _part(1), "ComplexAbs": _absolute}
