"""Runs a function on arrays, and on tensors through real ONNX Runtime, and compares."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime

from converter.graph import Graph
from converter.tracing.tensor import Tensor


def record(function: Callable[..., Any], *arrays: np.ndarray) -> tuple[Graph, Tensor]:
    """The function on one input a given array, of its dtype and shape, axis 0 being the rows."""
    graph = Graph()
    inputs = [
        Tensor.input(graph, f"x{place}", array.dtype, (None, *array.shape[1:]))
        for place, array in enumerate(arrays)
    ]
    found = function(*inputs)
    assert isinstance(found, Tensor), found
    return graph, found


def run(function: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
    """What the recorded graph computes."""
    graph, found = record(function, *arrays)
    raw = graph.to_bytes({"out": (found.name, found.dtype.name, found.shape)})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    named = {f"x{place}": array for place, array in enumerate(arrays)}
    (out,) = session.run(None, {item.name: named[item.name] for item in session.get_inputs()})
    assert out.dtype == found.dtype
    return out


def check(
    function: Callable[..., Any], *arrays: np.ndarray, rtol: float = 0.0, atol: float = 0.0
) -> None:
    """Same dtype, same shape, same values: to the bit unless a tolerance is given."""
    with np.errstate(all="ignore"):
        wanted = np.asarray(function(*arrays))
    found = run(function, *arrays)
    assert found.dtype == wanted.dtype, (found.dtype, wanted.dtype)
    assert found.shape == wanted.shape, (found.shape, wanted.shape)
    if wanted.dtype.kind == "f":
        np.testing.assert_allclose(found, wanted, rtol=rtol, atol=atol)
    else:
        np.testing.assert_array_equal(found, wanted)
