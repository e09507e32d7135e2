"""From a model's output tensors to class names, probabilities and values."""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from edge_runtime.bundle.manifest import Manifest, Output
from edge_runtime.engine.base import Array
from edge_runtime.errors import EngineError


class Inference(msgspec.Struct, frozen=True, eq=False):
    """What one run gave. A classification has labels, a regression values; the rest is None.

    Attributes:
        labels: class names, str of shape (n,).
        probabilities: float32 of shape (n, k), in the order of `Model.classes`; None for a classifier
            that has none.
        values: float of shape (n,) or (n, m).
    """

    labels: Array | None
    probabilities: Array | None
    values: Array | None


class OutputReader:
    """Finds the tensors by meaning once, then reads them. What it returns shares no memory with them."""

    def __init__(self, manifest: Manifest) -> None:
        meanings = [output.meaning for output in manifest.outputs]
        for output in manifest.outputs:
            _check_output(output, len(manifest.classes))
        wanted = "label" if manifest.task == "classification" else "value"
        if wanted not in meanings or len(set(meanings)) != len(meanings):
            raise EngineError(
                f"{manifest.name} {manifest.version}: expected one output that is the {wanted}, found "
                f"{meanings}. Convert the model again."
            )
        self._is_regression = wanted == "value"
        self._main_at = meanings.index(wanted)
        has_probabilities = wanted == "label" and "probabilities" in meanings
        self.probabilities_at = meanings.index("probabilities") if has_probabilities else None
        self._names = np.array(manifest.classes, dtype=np.str_)

    def main(self, outputs: Sequence[Array]) -> Array:
        """The prediction alone: class names, or values."""
        array = outputs[self._main_at]
        return array.copy() if self._is_regression else self.labels(array)

    def labels(self, indices: Array) -> Array:
        """Class names of int64 indices; raises EngineError for an index that is none."""
        # Seen as unsigned a negative index is out of range too, instead of counting from the end.
        if indices.size and indices.view(np.uint64).max() >= len(self._names):
            raise self._no_class(indices)
        names: Array = self._names[indices]
        return names

    def row_main(self, outputs: Sequence[Array]) -> Callable[[], Array]:
        """`main` for buffers of one row that stay; 1 µs faster, as it copies a ready name."""
        bound = outputs[self._main_at]
        if self._is_regression:
            return bound.copy
        index = bound.view(np.uint64)
        # A tuple takes no number from 2^63 on: as above, a negative index is an IndexError.
        singles = tuple(self._names[at : at + 1] for at in range(len(self._names)))

        def read() -> Array:
            try:
                return singles[index.item()].copy()
            except IndexError:
                raise self._no_class(bound) from None

        return read

    def inference(self, outputs: Sequence[Array], main: Array) -> Inference:
        """Everything the outputs say, `main` being what was read of them already."""
        if self._is_regression:
            return Inference(None, None, main)
        at = self.probabilities_at
        return Inference(main, None if at is None else outputs[at].copy(), None)

    def _no_class(self, indices: Array) -> EngineError:
        return EngineError(
            f"label: expected an index below {len(self._names)}, found one of {indices.tolist()[:8]}. "
            "The model is broken: convert it again."
        )


def _check_output(output: Output, classes: int) -> None:
    dtype, shape = output.dtype, output.shape
    fits = {
        "label": dtype == "int64" and shape == (None,),
        "probabilities": dtype == "float32" and shape == (None, classes),
        "value": dtype in ("float32", "float64") and len(shape) in (1, 2) and shape[0] is None,
    }[output.meaning]
    if not fits:
        raise EngineError(
            f"output {output.name!r}: expected the dtype and shape of a {output.meaning}, "
            f"found {dtype} of shape {list(shape)}. Convert the model again."
        )
