"""OpenVINO as a peer: it reads our graph."""

from collections.abc import Callable
from typing import Any

import numpy as np

# One stream of one thread, as all peers have. It would compute in bfloat16 where the processor can.
_OPTIONS = {
    "PERFORMANCE_HINT": "LATENCY",
    "NUM_STREAMS": 1,
    "INFERENCE_NUM_THREADS": 1,
    "INFERENCE_PRECISION_HINT": "f32",
}


def asking(raw: bytes, shape: tuple[int, ...]) -> Callable[[np.ndarray], tuple[Any, ...]]:
    """A peer: all outputs of an ONNX graph of one input, compiled for inputs of `shape`."""
    import openvino

    core = openvino.Core()
    model = core.read_model(raw)
    model.reshape(list(shape))
    request = core.compile_model(model, "CPU", _OPTIONS).create_infer_request()
    return lambda rows: request.infer(rows, share_inputs=True, share_outputs=True).to_tuple()
