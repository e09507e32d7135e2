"""A fitted block as a graph: its bytes, and what ONNX Runtime makes of them."""

from typing import Any

import numpy as np

from converter.blocks import Block
from converter.graph import Graph
from converter.tracing.tensor import Tensor
from tests.converter.onnx_run import run_onnx


def graph_of(block: Block, inputs: np.ndarray) -> bytes:
    """The graph that the block writes for inputs like these: one input, one float32 output."""
    graph = Graph()
    answer: Any = block.compute(
        block.as_read(Tensor.input(graph, "inputs", inputs.dtype, (None, *inputs.shape[1:])))
    )
    assert answer.dtype == np.float32
    return graph.to_bytes({"answer": (answer.name, "float32", answer.sizes)})


def in_onnx(block: Block, inputs: np.ndarray) -> np.ndarray:
    """What ONNX Runtime computes, for all inputs; the first one alone must get the same answer."""
    raw = graph_of(block, inputs)
    (together,) = run_onnx(raw, inputs)
    (alone,) = run_onnx(raw, inputs[:1])
    np.testing.assert_allclose(alone, together[:1], rtol=1e-5, atol=1e-6 * np.nanmax(np.abs(together)))
    return together
