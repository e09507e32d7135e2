"""What a Keras model or a SavedModel says itself: what the variant must agree with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.foreign import translated, without_name_warnings
from converter.frontends.tensorflow import texts, tracing
from converter.frontends.tensorflow.freezing import Frozen, freeze
from converter.frontends.tensorflow.library import load, quiet, versions
from converter.frontends.tensorflow.limits import Limits, limits
from converter.inputs import Rows
from converter.lowering.composition import steps_of
from converter.source import Answer, Tensors, apart
from edge_runtime.bundle.manifest import Label, Task
from edge_runtime.errors import ConversionError, InputError, UnsupportedModelError

_BATCH = 256  # inputs that the model is asked about at once
_LIKE_TRAINING = "Give inputs like those that the model was trained on."


@dataclass(frozen=True)
class KerasSource:
    """A trained model of one input and one output, and what it predicts.

    before: fitted preprocessing whose output the model was trained on; None for none. frozen: the model
        as TensorFlow's graph. sizes: of its output, without the batch. classes: of a classification, one
        array of them as the author's labels have them: names, or places among the outputs. limits: of
        the numbers that it looks up in a table.
    """

    callee: tracing.Callee
    before: Any
    frozen: Frozen
    sizes: tuple[int, ...]
    task: Task = "regression"
    classes: tuple[NDArray[Any], ...] = ()
    class_names: tuple[str, ...] = ()
    limits: Limits | None = None

    @property
    def model(self) -> Any:
        return self.callee.model

    @property
    def is_multi_label(self) -> bool:
        return False

    @property
    def labels(self) -> tuple[Label, ...]:
        return ()

    @property
    def has_probabilities(self) -> bool:
        """Whether the numbers of a classification are probabilities; logits are not."""
        return bool(self.classes) and self.frozen.last in ("Softmax", "Sigmoid")

    @property
    def cut(self) -> float:
        """Of a single number: above it the second class is called."""
        return 0.5 if self.has_probabilities else 0.0

    @property
    def libraries(self) -> tuple[str, ...]:
        return (*versions(), *(("scikit-learn",) if self.before is not None else ()))

    def describe(self) -> str:
        """Such as `Keras Sequential 'motion'`, with the preprocessing before it."""
        name = getattr(self.model, "name", "")
        own = self.callee.name + (f" {name!r}" if isinstance(name, str) and name else "")
        if self.before is None:
            return own
        return f"{', '.join(type(step).__name__ for _, step in steps_of(self.before))}, {own}"

    def run(self, rows: Rows) -> Answer:
        """Ask the model about every row. Raises ConversionError when it refuses them."""
        given = prepared(self.before, rows, self.callee)
        found = np.concatenate(
            [self.asked(given[at : at + _BATCH]) for at in range(0, len(given), _BATCH)]
        ).astype(np.float64)
        if not self.classes:
            value = found[:, 0] if self.sizes == (1,) else found
            return Answer({"value": value}, np.empty(0))
        scores = found.reshape(len(found), -1)
        if scores.shape[1] == 1:
            second = scores[:, 0]
            label = (second > self.cut).astype(np.int64)
            scores = np.stack([2 * self.cut - second, second], axis=1)
        else:
            label = scores.argmax(axis=1)
        tensors: Tensors = {"label": label}
        if self.has_probabilities:
            tensors["probabilities"] = scores
        return Answer(tensors, apart(scores))

    def asked(self, given: NDArray[Any]) -> NDArray[Any]:
        """The model's own output to at most a few hundred inputs. Raises ConversionError."""
        what = f"the source model {self.describe()} refuses inputs of shape {given.shape}"
        with translated(what, advice=_LIKE_TRAINING), quiet():
            x = load().tf.constant(given, dtype=self.callee.dtype)
            return np.asarray(tracing.single(self.callee.call(x)))


def prepared(before: Any, rows: Rows, callee: tracing.Callee) -> NDArray[Any]:
    """Rows as the model itself takes them: behind the preprocessing, or as texts of their tokens."""
    if before is None:
        given = rows.for_source()
        return texts.joined(given) if texts.length(callee.model) is not None else given
    what = "preprocessing refuses the inputs"
    with translated(what, advice=_LIKE_TRAINING), without_name_warnings():
        found = before.transform(rows.for_source())
    return np.asarray(found.toarray() if hasattr(found, "toarray") else found, dtype=np.float32)


def read(
    model: Any, before: Any, rows: Rows, labels: NDArray[Any] | None, classes: Sequence[Any] | None
) -> KerasSource:
    """Look at a trained model; `rows` are what it will be asked about, `labels` perhaps their truth.

    It is a classification where `classes` are given, or where its last operator is a softmax (or a
    sigmoid of one number) and `labels`, if there are any, are whole numbers; else a regression.
    Raises UnsupportedModelError, ConversionError when it refuses the first of `rows`, InputError when
    their shape, or `classes`, are not the model's.
    """
    callee = tracing.callee(model)
    first = rows.take(slice(1))
    given = first.array if before is None else prepared(before, first, callee)
    frozen = freeze(tracing.concrete(callee, given.shape[1:]))
    source = KerasSource(callee, before, frozen, ())
    source = replace(
        source, sizes=source.run(first).tensors["value"].shape[1:], limits=_limits(source, given)
    )
    if len(source.sizes) > 1:
        found = ", ".join(str(size) for size in source.sizes)
        raise UnsupportedModelError(
            f"model: expected one row of outputs an input, found outputs of shape (inputs, {found}), "
            "which a bundle cannot hold yet. End the model with a pooling or Flatten layer."
        )
    kind = "" if labels is None else labels.dtype.kind
    count = _class_count(source, kind, classes)
    if not count:
        return source
    names = tuple(str(each) for each in (range(count) if classes is None else classes))
    own = np.array(names, dtype=object) if kind in "OSU" and kind else np.arange(count)
    return replace(source, task="classification", classes=(own,), class_names=names)


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


def _class_count(source: KerasSource, kind: str, given: Sequence[Any] | None) -> int:
    """How many classes the model tells apart; 0 for a regression. kind: of the labels' dtype."""
    is_one, last = source.sizes in ((), (1,)), source.frozen.last
    count = 2 if is_one else source.sizes[0]
    if given is not None:
        if len(given) != count:
            raise InputError(
                f"classes: expected {count}, as many as the model's outputs of shape {source.sizes} "
                f"tell apart; found {len(given)}."
            )
        return count
    if kind and kind in "OSU":
        raise InputError(
            "labels: found texts, and the model does not know which of its outputs is which. Give "
            "classes=(...), their names in the order of the outputs."
        )
    is_classifier = last == "Sigmoid" if is_one else last == "Softmax"
    return count if is_classifier and kind in ("", "b", "i", "u") else 0
