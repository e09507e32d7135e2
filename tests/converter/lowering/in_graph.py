"""What a transformer's lowering answers, on numpy arrays and as a graph: of tables and of texts too."""

from typing import Any

import numpy as np
import onnxruntime

from converter.graph import Graph
from converter.lowering import registry
from converter.lowering.table import Table
from converter.tracing.tensor import Tensor


def answers(step: Any, given: Any) -> list[Any]:
    """The matrix that comes out: of numpy arrays, and of ONNX Runtime for all rows and row by row."""
    with np.errstate(all="ignore"):  # a lowering may take what np.where drops
        plain = np.asarray(registry.matrix(registry.transform(step, given)))
    blocks = Table.of(given).blocks
    session = _session(step, given, joined=True)
    (together,) = _run(session, blocks)
    alone = [_run(session, [block[at : at + 1] for block in blocks])[0] for at in range(len(blocks[0]))]
    return [plain, together, np.concatenate(alone)]


def run_blocks(step: Any, given: Table) -> list[Any]:
    """The blocks of the answer, as ONNX Runtime computes them."""
    return _run(_session(step, given, joined=False), given.blocks)


def refusals(step: Any, given: Any) -> list[tuple[list[bool], str]]:
    """Which rows are refused and why, as ONNX Runtime finds them; numpy arrays give the same."""
    with registry.recording() as plain, np.errstate(all="ignore"):
        registry.transform(step, given)
    graph = Graph()
    with registry.recording() as traced:
        registry.transform(step, _inputs(graph, given))
    session = _loaded(graph, [rows for rows, _ in traced.refusals])
    found = [rows.tolist() for rows in _run(session, Table.of(given).blocks)]
    assert found == [rows.tolist() for rows, _ in plain.refusals]
    return list(zip(found, [why for _, why in traced.refusals], strict=True))


def _session(step: Any, given: Any, *, joined: bool) -> Any:
    graph = Graph()
    result = registry.transform(step, _inputs(graph, given))
    return _loaded(graph, [registry.matrix(result)] if joined else list(Table.of(result).blocks))


def _inputs(graph: Graph, given: Any) -> Any:
    inputs = [
        Tensor.input(graph, f"block_{at}", block.dtype, (None, *block.shape[1:]))
        for at, block in enumerate(Table.of(given).blocks)
    ]
    return Table(tuple(inputs), given.names) if isinstance(given, Table) else inputs[0]


def _loaded(graph: Graph, outputs: list[Any]) -> Any:
    raw = graph.to_bytes(
        {f"out_{at}": (block.name, _dtype(block), block.sizes) for at, block in enumerate(outputs)}
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])


def _run(session: Any, blocks: Any) -> list[Any]:
    used = {value.name for value in session.get_inputs()}
    fed = {f"block_{at}": block for at, block in enumerate(blocks)}
    return list(session.run(None, {name: value for name, value in fed.items() if name in used}))


def _dtype(block: Any) -> str:
    return "object" if block.dtype.kind == "O" else str(block.dtype.name)
