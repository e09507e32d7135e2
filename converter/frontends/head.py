"""How one output of a network is read: as values, as scores of classes, or as a label each number."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.inputs import Labels
from converter.lowering.labels import largest
from converter.source import Answer, apart
from edge_runtime.bundle.manifest import Label, Task
from edge_runtime.errors import InputError

_NO_OR_YES = ("0", "1")


@dataclass(frozen=True)
class Head:
    """One output of shape (n, *sizes), and what it means.

    last: the operator that it comes from, such as Softmax. classes: of a classification, one array of
        them as the author's labels have them: names, or places among the outputs. label_names: where
        each number is a label of its own, yes or no; then `classes` has an array for each.
    """

    sizes: tuple[int, ...]
    last: str
    task: Task = "regression"
    classes: tuple[NDArray[Any], ...] = ()
    class_names: tuple[str, ...] = ()
    label_names: tuple[str, ...] = ()

    @property
    def is_one(self) -> bool:
        """Whether it is a single number, of which a classification has two classes."""
        return self.sizes in ((), (1,))

    @property
    def has_probabilities(self) -> bool:
        """Whether the numbers of a classification are probabilities; logits are not."""
        return bool(self.classes) and self.last in ("Softmax", "Sigmoid")

    @property
    def cut(self) -> float:
        """Of a single number: above it the second class is called."""
        return 0.5 if self.has_probabilities else 0.0

    @property
    def labels(self) -> tuple[Label, ...]:
        """Of several labels, each a number between 0 and 1, the name and classes of each; else empty."""
        return tuple(Label(name=name, classes=_NO_OR_YES) for name in self.label_names)

    @property
    def value_names(self) -> tuple[str, ...]:
        """Of the outputs that are values."""
        return () if self.classes else ("value",)

    def answer(self, found: NDArray[np.float64]) -> Answer:
        """What the model's own output, (n, *sizes), says."""
        return Answer(self.values(found), self.margin(found))

    def margin(self, found: NDArray[np.float64]) -> NDArray[np.float64]:
        """`Answer.margin` of the model's own output."""
        if not self.classes:
            return np.empty(0)
        scores = found.reshape(len(found), -1)
        if self.is_one or self.label_names:
            nearest: NDArray[np.float64] = 2 * np.abs(scores - self.cut).min(axis=1)
            return nearest
        return apart(scores)

    def values(self, found: Any) -> dict[str, Any]:
        """`Answer.tensors` of the model's own output: numpy's array, or a tensor of a graph."""
        if not self.classes:
            return {"value": found[:, 0] if self.sizes == (1,) else found}
        scores = found[:, None] if found.ndim == 1 else found
        if self.is_one:
            scores = scores[:, 0]
        if self.is_one or self.label_names:
            values = {"label": (scores > self.cut).astype(np.int64)}
            scores = np.stack([1 - scores, scores], axis=scores.ndim)
        else:
            values = {"label": largest(scores)}
        if self.has_probabilities:
            values["probabilities"] = scores
        return values


def read_head(
    sizes: tuple[int, ...], last: str, labels: NDArray[Any] | None, classes: Sequence[Any] | None
) -> Head:
    """The meaning of an output of shape (n, *sizes); `labels` are perhaps the truth of some inputs.

    It is a classification where `classes` are given, or where `last` is a softmax (or a sigmoid of one
    number) and `labels`, if there are any, are whole numbers. A sigmoid of several numbers whose
    `labels` are 0 or 1 for each gives as many labels, which `classes` may name. Anything else is a
    regression, and so is an output of more than two axes. Raises InputError for classes that are not the
    model's.
    """
    head = Head(sizes, last)
    if len(sizes) > 1:
        if classes is not None:
            raise InputError(
                f"classes: expected none for an output of shape (inputs, {', '.join(map(str, sizes))}), "
                f"which is values; found {len(classes)}. Leave them out."
            )
        return head
    if last == "Sigmoid" and not head.is_one and _is_yes_or_no(labels, sizes[0]):
        return _of_labels(head, classes)
    if last == "Softmax" and sizes and _is_one_hot(labels, sizes[0]):
        raise InputError(
            "labels: expected the class of each input, found a row of 0s with one 1 for each. Give "
            "labels.argmax(axis=1), places among the outputs."
        )
    kind = "" if labels is None else labels.dtype.kind
    count = _class_count(head, kind, classes)
    if not count:
        return head
    names = tuple(str(each) for each in (range(count) if classes is None else classes))
    own = np.array(names, dtype=object) if kind in "OSU" and kind else np.arange(count)
    return replace(head, task="classification", classes=(own,), class_names=names)


def only(labels: Labels | None) -> NDArray[Any] | None:
    """The labels of a model of one output, which may have come by its name. Raises InputError."""
    if not isinstance(labels, dict):
        return labels
    if len(labels) != 1:
        raise InputError(
            f"labels: expected an array, which is the truth of the model's one output; found "
            f"{', '.join(map(repr, labels)) or 'none'}. Of a file choose one with FILE:KEY."
        )
    return next(iter(labels.values()))


def _is_yes_or_no(labels: NDArray[Any] | None, count: int) -> bool:
    """Whether these are 0 or 1 for each of `count` labels."""
    if labels is None or labels.shape[1:] != (count,) or labels.dtype.kind not in "biuf":
        return False
    return bool(np.isin(labels, (0, 1)).all())


def _is_one_hot(labels: NDArray[Any] | None, count: int) -> bool:
    """Whether these are the truth as a softmax is trained on it, which says nothing but a class."""
    if labels is None or not _is_yes_or_no(labels, count):
        return False
    return bool((labels.sum(axis=1) == 1).all())


def _of_labels(head: Head, names: Sequence[Any] | None) -> Head:
    count = head.sizes[0]
    if names is not None and len(names) != count:
        raise InputError(
            f"classes: expected {count}, the names of the model's labels; found {len(names)}."
        )
    called = tuple(str(name) for name in (range(count) if names is None else names))
    classes = (np.array([0, 1]),) * count
    return replace(head, task="classification", classes=classes, label_names=called)


def _class_count(head: Head, kind: str, given: Sequence[Any] | None) -> int:
    """How many classes the model tells apart; 0 for a regression. kind: of the labels' dtype."""
    count = 2 if head.is_one else head.sizes[0]
    if given is not None:
        if len(given) != count:
            raise InputError(
                f"classes: expected {count}, as many as the model's outputs of shape {head.sizes} "
                f"tell apart; found {len(given)}."
            )
        return count
    if kind and kind in "OSU":
        raise InputError(
            "labels: found texts, and the model does not know which of its outputs is which. Give "
            "classes=(...), their names in the order of the outputs."
        )
    is_classifier = head.last == ("Sigmoid" if head.is_one else "Softmax")
    return count if is_classifier and kind in ("", "b", "i", "u") else 0
