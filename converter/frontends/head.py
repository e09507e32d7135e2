"""How the one output of a network is read: as values, or as scores of classes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.source import Answer, Tensors, apart
from converter.tracing.tensor import Tensor
from edge_runtime.bundle.manifest import Task
from edge_runtime.errors import InputError, UnsupportedModelError


@dataclass(frozen=True)
class Head:
    """One output of shape (n, *sizes), and what it means.

    sizes: () or (m,). last: the operator that it comes from, such as Softmax. classes: of a
        classification, one array of them as the author's labels have them: names, or places among the
        outputs.
    """

    sizes: tuple[int, ...]
    last: str
    task: Task = "regression"
    classes: tuple[NDArray[Any], ...] = ()
    class_names: tuple[str, ...] = ()

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

    def answer(self, found: NDArray[np.float64]) -> Answer:
        """What the model's own output, (n, *sizes), says."""
        if not self.classes:
            return Answer({"value": found[:, 0] if self.sizes == (1,) else found}, np.empty(0))
        scores = found.reshape(len(found), -1)
        if self.is_one:
            second = scores[:, 0]
            label = (second > self.cut).astype(np.int64)
            scores = np.stack([2 * self.cut - second, second], axis=1)
        else:
            label = scores.argmax(axis=1)
        tensors: Tensors = {"label": label}
        if self.has_probabilities:
            tensors["probabilities"] = scores
        return Answer(tensors, apart(scores))

    def values(self, answer: Tensor) -> dict[str, Tensor]:
        """The same in a graph: its outputs by name, of the model's own output as float32."""
        if not self.classes:
            return {"value": answer[:, 0] if self.sizes == (1,) else answer}
        scores: Any = answer[:, None] if answer.ndim == 1 else answer
        if self.is_one:
            second = scores[:, 0]
            values = {"label": (second > self.cut).astype(np.int64)}
            scores = np.stack([1 - second, second], axis=1)
        else:
            values = {"label": np.argmax(scores, axis=1).astype(np.int64)}
        if self.has_probabilities:
            values["probabilities"] = scores
        return values


def read_head(
    sizes: tuple[int, ...], last: str, labels: NDArray[Any] | None, classes: Sequence[Any] | None
) -> Head:
    """The meaning of an output of shape (n, *sizes); `labels` are perhaps the truth of some inputs.

    It is a classification where `classes` are given, or where `last` is a softmax (or a sigmoid of one
    number) and `labels`, if there are any, are whole numbers; else a regression. Raises
    UnsupportedModelError where it is no row of numbers, InputError for classes that are not the model's.
    """
    head = Head(sizes, last)
    if len(sizes) > 1:
        found = ", ".join(str(size) for size in sizes)
        raise UnsupportedModelError(
            f"model: expected one row of outputs an input, found outputs of shape (inputs, {found}), "
            "which a bundle cannot hold yet. End the model with a pooling or Flatten layer."
        )
    kind = "" if labels is None else labels.dtype.kind
    count = _class_count(head, kind, classes)
    if not count:
        return head
    names = tuple(str(each) for each in (range(count) if classes is None else classes))
    own = np.array(names, dtype=object) if kind in "OSU" and kind else np.arange(count)
    return replace(head, task="classification", classes=(own,), class_names=names)


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
