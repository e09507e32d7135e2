"""ONNX Runtime asked about an ONNX file as it is: the one module here that imports it, lazily."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.batches import at_once
from converter.foreign import translated
from edge_runtime.errors import UnsupportedModelError

Feeds = Mapping[str, NDArray[Any]]
_BATCH = 256  # inputs that a model is asked about at once
_SILENT = 4


class Running:
    """A model in ONNX Runtime, its nodes as they are: nothing is fused or left out.

    One thread, so that sums are added in one order. batch: the number of rows that the file fixes, None
    where any will do; then the last rows are asked about several times.
    """

    def __init__(self, raw: bytes, what: str, batch: int | None = None) -> None:
        """Raises UnsupportedModelError where ONNX Runtime does not take the model."""
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnxruntime

        onnxruntime.set_default_logger_severity(_SILENT)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _SILENT
        with translated(f"{what}: onnxruntime does not take it", UnsupportedModelError):
            self._session = onnxruntime.InferenceSession(
                raw, options, providers=["CPUExecutionProvider"]
            )
        self._batch, self._what = batch, what

    def ask(self, names: Sequence[str], inputs: Feeds) -> list[Any]:
        """Outputs by name for n rows, whatever n: arrays (n, …), or lists of n maps.

        Raises what ONNX Runtime raises.
        """
        count = len(next(iter(inputs.values())))
        step = self._batch or at_once(inputs.values(), _BATCH)
        parts = [self._part(names, inputs, at, min(at + step, count)) for at in range(0, count, step)]
        return [_joined(found) for found in zip(*parts, strict=True)]

    def _part(self, names: Sequence[str], inputs: Feeds, start: int, end: int) -> list[Any]:
        where = np.arange(start, end if self._batch is None else start + self._batch).clip(max=end - 1)
        found = self._session.run(list(names), {name: array[where] for name, array in inputs.items()})
        for name, each in zip(names, found, strict=True):
            if np.ndim(each) == 0 or len(each) != len(where):
                raise UnsupportedModelError(
                    f"{self._what}: expected of output {name[:100]!r} a row for each of {len(where)} "
                    f"inputs, found shape {np.shape(each)}. Export the model with its batch first."
                )
        return [each[: end - start] for each in found]


def _joined(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    return [row for part in parts for row in part]
