"""From a model's output tensors to class names, probabilities and values."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np

from edge_runtime.bundle.manifest import Manifest, Output
from edge_runtime.engine.base import Array
from edge_runtime.engine.refusals import Refusals
from edge_runtime.errors import EngineError

# An array; of a model of several outputs of values, each output's array by its name. Nothing tells
# a type checker which model it is.
Prediction = Any


class Inference(msgspec.Struct, frozen=True, eq=False):
    """What one run gave. What the model's task does not have is None.

    Attributes:
        labels: class names, str of shape (n,), of a model of m labels (n, m); read-only.
        probabilities: float32 of shape (n, k), in the order of `Model.classes`; of m labels (n, m, k),
            in the order of each one's classes, zeros after them. None for a classifier that has none.
        values: float of shape (n,) or (n, ...): a regression's or a transformation's; of an anomaly
            model the score, shape (n,), below 0 for an anomaly.
        by_name: of a model of several outputs of values, which has no `values`, each of them by its
            output's name; else None.
    """

    labels: Array | None
    probabilities: Array | None
    values: Array | None
    by_name: dict[str, Array] | None = None


class OutputReader:
    """Finds the tensors by meaning once, then reads them. What it returns shares no memory with them.

    Class names are read-only arrays: those of one row are always the same one, and to copy it would take
    0.5 µs.

    Of rows that the model refuses nothing is read: `main`, what `row_main` gives and `probabilities`
    raise InputError, which says why.

    Attributes:
        probabilities: reads them alone, as they are: no copy; None when the model has none.
    """

    def __init__(self, manifest: Manifest) -> None:
        meanings = _meanings(manifest)

        def place(meaning: str) -> int | None:
            return meanings.index(meaning) if meaning in meanings else None

        self._has_labels = manifest.has_labels
        self._main_at = meanings.index("label" if manifest.has_labels else "value")
        values = {each.name: at for at, each in enumerate(manifest.outputs) if each.meaning == "value"}
        self._values_at = values if len(values) > 1 else None
        self._probabilities_at = place("probabilities")
        self._score_at = place("score")
        self._names = _Names("label", manifest.classes)
        self._several = tuple(_Names(f"label {each.name!r}", each.classes) for each in manifest.labels)
        refused_at = place("refused")
        self._refusals = None if refused_at is None else Refusals(manifest, refused_at)
        self.probabilities = self._probabilities_reader()

    def main(self, outputs: Sequence[Array]) -> Prediction:
        """The prediction alone: class names, or values, those of several outputs by name."""
        if self._refusals is not None:
            self._refusals.check(outputs)
        if self._values_at is not None:
            return {name: outputs[at].copy() for name, at in self._values_at.items()}
        array = outputs[self._main_at]
        return self.labels(array) if self._has_labels else array.copy()

    def labels(self, indices: Array) -> Array:
        """Class names of int64 indices (n,) or (n, m); raises EngineError for an index that is none."""
        if not self._several:
            names = self._names.of(indices)
        else:
            columns = [each.of(indices[:, at]) for at, each in enumerate(self._several)]
            names = np.stack(columns, axis=1)
        names.setflags(write=False)
        return names

    def row_main(self, outputs: Sequence[Array]) -> Callable[[], Prediction]:
        """`main` for buffers of one row that stay; 1.5 µs faster, as the names are ready."""
        read = self._bound_main(outputs)
        # Decided here, once: a model that refuses nothing has nothing to look at in a call.
        return read if self._refusals is None else self._refusals.before(read, outputs)

    def inference(self, outputs: Sequence[Array], main: Prediction) -> Inference:
        """Everything the outputs say, `main` being what was read of them already."""
        if self._values_at is not None:
            return Inference(None, None, None, main)
        if not self._has_labels:
            return Inference(None, None, main)
        probabilities_at, score_at = self._probabilities_at, self._score_at
        return Inference(
            main,
            None if probabilities_at is None else outputs[probabilities_at].copy(),
            None if score_at is None else outputs[score_at].copy(),
        )

    def _bound_main(self, outputs: Sequence[Array]) -> Callable[[], Prediction]:
        if self._values_at is not None:
            named = {name: outputs[at] for name, at in self._values_at.items()}
            return lambda: {name: array.copy() for name, array in named.items()}
        bound = outputs[self._main_at]
        if not self._has_labels:
            return bound.copy
        if self._several:
            return lambda: self.labels(bound)
        return self._names.reader(bound)

    def _probabilities_reader(self) -> Callable[[Sequence[Array]], Array] | None:
        at, refusals = self._probabilities_at, self._refusals
        if at is None:
            return None
        if refusals is None:
            return itemgetter(at)

        def read(outputs: Sequence[Array]) -> Array:
            refusals.check(outputs)
            return outputs[at]

        return read


class _Names:
    """The class names of one label; `subject` says which in errors."""

    def __init__(self, subject: str, classes: Sequence[str]) -> None:
        self._subject = subject
        self._names = np.array(classes, dtype=np.str_)
        self._names.setflags(write=False)

    def of(self, indices: Array) -> Array:
        """The names of int64 indices; raises EngineError for an index that is none."""
        # `take` would count a negative index from the end. `argmin`, as after a run `min` is cold.
        if indices.size and indices.item(indices.argmin()) < 0:
            raise self._no_class(indices)
        try:
            return self._names.take(indices)
        except IndexError:
            raise self._no_class(indices) from None

    def reader(self, bound: Array) -> Callable[[], Array]:
        """`of` for the one index in a buffer that stays."""
        index = bound.view(np.uint64)
        # Seen as unsigned a negative index is an IndexError too, as a tuple has no item 2^63.
        singles = tuple(self._names[at : at + 1] for at in range(len(self._names)))

        def read() -> Array:
            try:
                return singles[index.item()]
            except IndexError:
                raise self._no_class(bound) from None

        return read

    def _no_class(self, indices: Array) -> EngineError:
        return EngineError(
            f"{self._subject}: expected an index below {len(self._names)}, found one of "
            f"{indices.tolist()[:8]}. The model is broken: convert it again."
        )


def _meanings(manifest: Manifest) -> list[str]:
    """The outputs' meanings, in order; raises EngineError unless they are what the task gives."""
    for output in manifest.outputs:
        _check_output(output, manifest)
    meanings: list[str] = [output.meaning for output in manifest.outputs]
    wanted = "label" if manifest.has_labels else "value"
    beside = {"probabilities"} if manifest.has_labels else set()
    if manifest.task == "anomaly":
        beside.add("score")
    if manifest.refusals:
        beside.add("refused")
    once = [meaning for meaning in meanings if meaning != "value"]
    if wanted not in meanings or len(set(once)) != len(once) or {*meanings} - {wanted} - beside:
        also = f" and at most {' and '.join(sorted(beside))} beside it" if beside else ""
        expected = "one output that is the label" if manifest.has_labels else "outputs that are values"
        raise EngineError(
            f"{manifest.name} {manifest.version}: expected {expected}{also}, found "
            f"{meanings}. Convert the model again."
        )
    return meanings


def _check_output(output: Output, manifest: Manifest) -> None:
    dtype, shape = output.dtype, output.shape
    labels = manifest.labels
    classes: tuple[int, ...] = (len(manifest.classes),)
    if labels:
        classes = (len(labels), max(len(each.classes) for each in labels))
    fits = {
        "label": dtype == "int64" and shape == (None, *classes[:-1]),
        "probabilities": dtype == "float32" and shape == (None, *classes),
        "value": dtype in ("float32", "float64") and shape[:1] == (None,),
        "score": dtype in ("float32", "float64") and shape == (None,),
        "refused": dtype == "int64" and shape == (None,),
    }[output.meaning]
    if not fits:
        raise EngineError(
            f"output {output.name!r}: expected the dtype and shape of a {output.meaning}, "
            f"found {dtype} of shape {list(shape)}. Convert the model again."
        )
