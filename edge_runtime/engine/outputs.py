"""From a model's output tensors to class names, probabilities and values."""

from collections.abc import Sequence

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
        self._label = meanings.index("label") if wanted == "label" else None
        self._value = meanings.index("value") if wanted == "value" else None
        has_probabilities = wanted == "label" and "probabilities" in meanings
        self.probabilities_at = meanings.index("probabilities") if has_probabilities else None
        self.main_at = meanings.index(wanted)
        self._names = np.array(manifest.classes if self._label is not None else (), dtype=np.str_)

    def main(self, outputs: Sequence[Array]) -> Array:
        """The prediction alone: class names, or values."""
        array = outputs[self.main_at]
        return array.copy() if self._label is None else self.labels(array)

    def labels(self, indices: Array) -> Array:
        """Class names of int64 indices; raises EngineError for an index that is none."""
        try:
            # Seen as unsigned a negative index is out of range too, instead of counting from the end.
            names: Array = self._names[indices.view(np.uint64)]
        except IndexError:
            raise EngineError(
                f"label: expected an index below {len(self._names)}, found one of "
                f"{indices.tolist()[:8]}. The model is broken: convert it again."
            ) from None
        return names

    def inference(self, outputs: Sequence[Array]) -> Inference:
        """Everything the outputs say."""
        at = self.probabilities_at
        return Inference(
            None if self._label is None else self.labels(outputs[self._label]),
            None if at is None else outputs[at].copy(),
            None if self._value is None else outputs[self._value].copy(),
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
