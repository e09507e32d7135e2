"""Runs a graph over calibration data, a few rows at a time."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import onnx
from numpy.typing import NDArray

from converter.foreign import translated

Feed = Mapping[str, NDArray[Any]]
"""One batch: an array for each input of the graph, rows along the first axis."""

_PIECE_BYTES = 64_000_000
_PIECE_ROWS = 32
_SILENT = 4


def answers(
    model: Any, names: Sequence[str], feeds: Sequence[Feed]
) -> Iterator[dict[str, NDArray[Any]]]:
    """Values inside a graph, by name, for a few rows at a time.

    model: an `onnx.ModelProto`. names: of its values, outputs or not. However large the batches are, at
    most 32 rows are run at once, and no more than keep the values asked for to 64 MB. Raises
    ConversionError where the graph cannot be run on them.
    """
    with translated("calibration: the model cannot be run on these inputs"):
        session = _session(model, names)
        rows = 1
        for feed in feeds:
            start, count = 0, len(next(iter(feed.values())))
            while start < count:
                piece = {name: array[start : start + rows] for name, array in feed.items()}
                found = session.run(list(names), piece)
                yield dict(zip(names, found, strict=True))
                start += rows
                row_bytes = sum(array.nbytes for array in found) // len(next(iter(piece.values())))
                rows = max(1, min(_PIECE_ROWS, _PIECE_BYTES // max(1, row_bytes)))


def _session(model: Any, names: Sequence[str]) -> Any:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # as in the engine: before the first import
    import onnxruntime

    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    given = {value.name for value in asked.graph.output}
    asked.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in given)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _SILENT
    # One thread adds in one order: the same ranges wherever they are looked for.
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    return onnxruntime.InferenceSession(
        asked.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
