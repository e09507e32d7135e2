"""What a Keras model or a SavedModel says itself: what the variant must agree with."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.batches import at_once
from converter.foreign import translated
from converter.frontends import before as preprocessing
from converter.frontends.before import LIKE_TRAINING
from converter.frontends.head import Head
from converter.frontends.heads import Heads, output_names, read_heads
from converter.frontends.limits import Limits
from converter.frontends.tensorflow import texts, tracing, unsupported
from converter.frontends.tensorflow.freezing import Frozen, freeze
from converter.frontends.tensorflow.library import load, quiet, versions
from converter.frontends.tensorflow.limits import limits
from converter.inputs import Labels, Rows
from converter.source import Answer
from edge_runtime.bundle.manifest import Label, Task
from edge_runtime.errors import ConversionError, UnsupportedModelError

_BATCH = 256  # inputs that the model is asked about at once
Arrays = list[NDArray[Any]]


@dataclass(frozen=True)
class KerasSource:
    """A trained model and what it predicts.

    before: fitted preprocessing whose output the model was trained on; None for none. frozen: the model
        as TensorFlow's graph. heads: how its outputs are read. limits: of the numbers that it looks up
        in a table, by the place of the input.
    """

    callee: tracing.Callee
    before: Any
    frozen: Frozen
    heads: Heads
    limits: dict[int, Limits] = field(default_factory=dict)

    @property
    def model(self) -> Any:
        return self.callee.model

    @property
    def task(self) -> Task:
        return self.heads.task

    @property
    def classes(self) -> tuple[NDArray[Any], ...]:
        return self.heads.classes

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.heads.class_names

    @property
    def is_multi_label(self) -> bool:
        return bool(self.labels)

    @property
    def labels(self) -> tuple[Label, ...]:
        return self.heads.labels

    @property
    def value_names(self) -> tuple[str, ...]:
        return self.heads.value_names

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
        count = at_once(given, _BATCH)
        parts = [
            self.asked([array[at : at + count] for array in given]) for at in range(0, len(rows), count)
        ]
        found = [np.concatenate(arrays).astype(np.float64) for arrays in zip(*parts, strict=True)]
        return self.heads.answer(*found)

    def asked(self, given: Arrays) -> Arrays:
        """The model's own outputs to at most a few hundred inputs. Raises ConversionError."""
        shapes = ", ".join(str(array.shape) for array in given)
        what = f"the source model {self.describe()} refuses inputs of shape {shapes}"
        with translated(what, advice=LIKE_TRAINING), quiet():
            tensors = [
                load().tf.constant(array, dtype=wanted.dtype)
                for array, wanted in zip(given, self.callee.inputs, strict=True)
            ]
            return [np.asarray(each) for each in self.callee.answers(*tensors).values()]


def prepared(before: Any, rows: Rows, callee: tracing.Callee) -> Arrays:
    """Rows as the model takes them, one array an input: behind the preprocessing, or as texts of their
    tokens."""
    if before is not None:
        return [preprocessing.transformed(before, rows)]
    given = rows.for_source()
    if rows.is_several:
        return list(given.values())
    return [texts.joined(given) if texts.length(callee.model) is not None else given]


def read(
    model: Any, before: Any, rows: Rows, labels: Labels | None, classes: Sequence[Any] | None
) -> KerasSource:
    """Look at a trained model; `rows` are what it will be asked about, `labels` perhaps their truth.

    What its outputs mean: see `read_heads`. Raises UnsupportedModelError, ConversionError when it
    refuses the first of `rows`, InputError when their shape, or `classes`, are not the model's.
    """
    callee = tracing.callee(model)
    first = rows.take(slice(1))
    is_plain = before is None and not rows.is_several
    given = [first.array] if is_plain else prepared(before, first, callee)
    traced = tracing.concrete(callee, [array.shape[1:] for array in given])
    frozen = freeze(traced.function, len(given))
    unsupported.check(frozen.graph_def)
    nothing = Heads(dict.fromkeys(traced.outputs, Head((), "")))
    source = KerasSource(callee, before, frozen, nothing)
    answers = source.asked(prepared(before, first, callee))
    names = output_names(traced.outputs, rows.arrays)
    outputs = [
        (name, _sizes(name, answer), last)
        for name, answer, last in zip(names, answers, frozen.lasts, strict=True)
    ]
    heads = read_heads(outputs, labels, classes)
    return replace(source, heads=heads, limits=_limits(source, given))


def _sizes(name: str, answer: NDArray[Any]) -> tuple[int, ...]:
    """Of an output to one input, without the batch. Raises UnsupportedModelError for no numbers."""
    if answer.dtype.kind not in "biuf" or answer.shape[:1] != (1,):
        kind = f"{answer.dtype} of shape {answer.shape}" if answer.dtype.kind in "biuf" else "texts"
        raise UnsupportedModelError(
            f"model: output {name!r}: expected numbers, for one input of shape (1, ...); found {kind}. "
            "Convert a model without it."
        )
    return answer.shape[1:]


def _limits(source: KerasSource, given: Arrays) -> dict[int, Limits]:
    """Of each input, while the others are as given."""
    found: dict[int, Limits] = {}
    for at, wanted in enumerate(source.callee.inputs):
        dtype = np.dtype(wanted.dtype if wanted.dtype != "string" else object)
        if dtype in (np.int32, np.int64, np.float32) and at in source.frozen.reads:
            known = given[at][np.isfinite(given[at])]
            of = limits(source.frozen, _taker(source, given, at), int(known.max()) if known.size else 0)
            found |= {at: of} if of is not None else {}
    return found


def _taker(source: KerasSource, given: Arrays, at: int) -> Any:
    """Whether the model has an answer to a number in one of its inputs."""

    def takes(number: int) -> bool:
        filled = list(given)
        filled[at] = np.full(given[at].shape, number, source.callee.inputs[at].dtype)
        try:
            source.asked(filled)
        except ConversionError:
            return False
        return True

    return takes
