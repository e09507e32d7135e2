"""Rows for which the source model raises an error instead of answering; a graph can only mark them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.engine.base import Array
from edge_runtime.errors import EngineError, InputError


class Refusals:
    """Reads the output `refused` of a model that has one: where it is not 0, nothing is answered."""

    def __init__(self, manifest: Manifest, at: int) -> None:
        """`at` is the place of `refused` among the outputs."""
        self._reasons = manifest.refusals
        self._at = at
        # As in what is said of a value that no model takes: `windows[3], sample 2, ...`.
        self._windows = manifest.inputs[0].name if manifest.window else ""

    def check(self, outputs: Sequence[Array]) -> None:
        """Raise InputError when a row is refused, EngineError for a number without a reason."""
        codes = outputs[self._at]
        if codes.any():
            self._explain(codes)

    def before(self, read: Callable[[], Any], outputs: Sequence[Array]) -> Callable[[], Any]:
        """`read`, unless the one row in buffers that stay is refused: then what `check` raises."""
        codes = outputs[self._at]

        def read_accepted() -> Any:
            if codes.item():
                self._explain(codes)
            return read()

        return read_accepted

    def _explain(self, codes: Array) -> None:
        reasons = self._reasons
        wrong = codes[(codes < 0) | (codes > len(reasons))]
        if wrong.size:
            raise EngineError(
                f"refused: expected 0 to {len(reasons)}, the number of a reason, found one of "
                f"{wrong.tolist()[:8]}. The model is broken: convert it again."
            )
        rows = np.flatnonzero(codes)
        first, others = int(rows[0]), len(rows) - 1
        place = f"{self._windows}[{first}]" if self._windows else f"row {first}"
        also = f" (and {others} more)" if others else ""
        raise InputError(
            f"{place}: {reasons[int(codes[first]) - 1]}{also}. "
            "The model was not trained for it: correct the input, or train with it."
        )
