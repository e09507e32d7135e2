"""What a Keras model or a SavedModel says itself: what the variant must agree with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.foreign import translated
from converter.frontends import before as preprocessing
from converter.frontends.before import LIKE_TRAINING
from converter.frontends.head import Head, read_head
from converter.frontends.limits import Limits
from converter.frontends.tensorflow import texts, tracing
from converter.frontends.tensorflow.freezing import Frozen, freeze
from converter.frontends.tensorflow.library import load, quiet, versions
from converter.frontends.tensorflow.limits import limits
from converter.inputs import Rows
from converter.source import Answer
from edge_runtime.bundle.manifest import Label, Task
from edge_runtime.errors import ConversionError

_BATCH = 256  # inputs that the model is asked about at once


@dataclass(frozen=True)
class KerasSource:
    """A trained model of one input and one output, and what it predicts.

    before: fitted preprocessing whose output the model was trained on; None for none. frozen: the model
        as TensorFlow's graph. head: how its output is read. limits: of the numbers that it looks up in
        a table.
    """

    callee: tracing.Callee
    before: Any
    frozen: Frozen
    head: Head
    limits: Limits | None = None

    @property
    def model(self) -> Any:
        return self.callee.model

    @property
    def task(self) -> Task:
        return self.head.task

    @property
    def classes(self) -> tuple[NDArray[Any], ...]:
        return self.head.classes

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.head.class_names

    @property
    def is_multi_label(self) -> bool:
        return bool(self.labels)

    @property
    def labels(self) -> tuple[Label, ...]:
        return self.head.labels

    @property
    def value_names(self) -> tuple[str, ...]:
        return () if self.classes else ("value",)

    @property
    def libraries(self) -> tuple[str, ...]:
        return (*versions(), *(("scikit-learn",) if self.before is not None else ()))

    def describe(self) -> str:
        """Such as `Keras Sequential 'motion'`, with the preprocessing before it."""
        name = getattr(self.model, "name", "")
        own = self.callee.name + (f" {name!r}" if isinstance(name, str) and name else "")
        return preprocessing.named(self.before, own)

    def run(self, rows: Rows) -> Answer:
        """Ask the model about every row. Raises ConversionError when it refuses them."""
        given = prepared(self.before, rows, self.callee)
        found = np.concatenate(
            [self.asked(given[at : at + _BATCH]) for at in range(0, len(given), _BATCH)]
        ).astype(np.float64)
        return self.head.answer(found)

    def asked(self, given: NDArray[Any]) -> NDArray[Any]:
        """The model's own output to at most a few hundred inputs. Raises ConversionError."""
        what = f"the source model {self.describe()} refuses inputs of shape {given.shape}"
        with translated(what, advice=LIKE_TRAINING), quiet():
            x = load().tf.constant(given, dtype=self.callee.dtype)
            return np.asarray(tracing.single(self.callee.call(x)))


def prepared(before: Any, rows: Rows, callee: tracing.Callee) -> NDArray[Any]:
    """Rows as the model itself takes them: behind the preprocessing, or as texts of their tokens."""
    if before is None:
        given = rows.for_source()
        return texts.joined(given) if texts.length(callee.model) is not None else given
    return preprocessing.transformed(before, rows)


def read(
    model: Any, before: Any, rows: Rows, labels: NDArray[Any] | None, classes: Sequence[Any] | None
) -> KerasSource:
    """Look at a trained model; `rows` are what it will be asked about, `labels` perhaps their truth.

    What its output means: see `read_head`. Raises UnsupportedModelError, ConversionError when it refuses
    the first of `rows`, InputError when their shape, or `classes`, are not the model's.
    """
    callee = tracing.callee(model)
    first = rows.take(slice(1))
    given = first.array if before is None else prepared(before, first, callee)
    frozen = freeze(tracing.concrete(callee, given.shape[1:]))
    source = KerasSource(callee, before, frozen, Head((), frozen.last))
    sizes = source.run(first).tensors["value"].shape[1:]
    head = read_head(sizes, frozen.last, labels, classes)
    return replace(source, head=head, limits=_limits(source, given))


def _limits(source: KerasSource, given: NDArray[Any]) -> Limits | None:
    dtype = np.dtype(source.callee.dtype if source.callee.dtype != "string" else object)
    if dtype not in (np.int32, np.int64, np.float32):
        return None

    def takes(number: int) -> bool:
        try:
            source.asked(np.full(given.shape, number, dtype))
        except ConversionError:
            return False
        return True

    return limits(source.frozen, takes, int(np.nanmax(given)))
