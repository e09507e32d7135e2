"""Images of a known size resized by two constant matrices, a row and a column one.

Every resizing of TensorFlow is linear and takes rows and columns one after the other. What it weighs
each old row with is asked of TensorFlow itself, with an image that is the identity matrix.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.frontends.tensorflow.handlers.writing import Writer
from converter.frontends.tensorflow.library import load

# (images, size) -> images, by TensorFlow
_Resize = Callable[[Any, list[int]], Any]


def _bicubic(ctx: Any, node: Any) -> None:
    write = Writer(ctx, node)
    height, width = write.known(1).tolist()
    options = {
        "align_corners": bool(node.get_attr_value("align_corners", 0)),
        "half_pixel_centers": bool(node.get_attr_value("half_pixel_centers", 0)),
    }

    def resize(image: Any, size: list[int]) -> Any:
        return load().tf.raw_ops.ResizeBicubic(images=image, size=size, **options)

    _, old_height, old_width, _ = _sizes(write)
    _write(write, _weights(resize, old_height, height), _weights(resize, old_width, width))


def _scale_and_translate(ctx: Any, node: Any) -> None:
    write = Writer(ctx, node)
    size, scale, translation = (write.known(at) for at in (1, 2, 3))
    options = {
        "kernel_type": node.get_attr_value("kernel_type", b"lanczos3").decode(),
        "antialias": bool(node.get_attr_value("antialias", 1)),
    }

    def along(axis: int) -> _Resize:
        def resize(image: Any, wanted: list[int]) -> Any:
            return load().tf.raw_ops.ScaleAndTranslate(
                images=image,
                size=wanted,
                scale=np.array([scale[axis], 1], np.float32),
                translation=np.array([translation[axis], 0], np.float32),
                **options,
            )

        return resize

    _, old_height, old_width, _ = _sizes(write)
    rows = _weights(along(0), old_height, int(size[0]))
    _write(write, rows, _weights(along(1), old_width, int(size[1])))


def _sizes(write: Writer) -> list[int]:
    sizes = write.shape(write.given[0])
    if len(sizes) != 4 or min(sizes[1:]) < 1:
        raise write.refusal(f"images of a known size, found {sizes}")
    return sizes


def _weights(resize: _Resize, old: int, new: int) -> NDArray[np.float32]:
    """(new, old): how much of each old row there is in each new one."""
    tf = load().tf
    image = np.eye(old, dtype=np.float32).reshape(1, old, 1, old)
    # Beside the graph that is being translated, not in it.
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        return np.asarray(session.run(resize(image, [new, 1]))).reshape(new, old)


def _write(write: Writer, rows: NDArray[np.float32], columns: NDArray[np.float32]) -> None:
    """images (n, h, w, c) -> rows @ (n, h, w c) -> columns @ (n, h', w, c)."""
    _, height, width, channels = write.shape(write.given[0])
    x = write.cast(write.given[0], "float32")
    flat = write.op("Reshape", x, write.constant(np.array([-1, height, width * channels])))
    fewer = write.op("MatMul", write.constant(rows), flat)
    apart = write.op("Reshape", fewer, write.constant(np.array([-1, len(rows), width, channels])))
    write.done(write.op("MatMul", write.constant(columns), apart))


HANDLERS = {"ResizeBicubic": _bicubic, "ScaleAndTranslate": _scale_and_translate}
