"""How the outputs of a network are read together: the only one, a label of each, or values by name."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.frontends.head import Head, only, read_head
from converter.inputs import Labels
from converter.source import MEANINGS, Answer
from edge_runtime.bundle.manifest import Label, Task
from edge_runtime.errors import InputError


@dataclass(frozen=True)
class Heads:
    """The outputs of a network in their order, by name; the name of an only one does not matter.

    Several are either classifications, each of which gives one label, or all of them values.
    """

    each: dict[str, Head]

    @property
    def _only(self) -> Head | None:
        return next(iter(self.each.values())) if len(self.each) == 1 else None

    @property
    def task(self) -> Task:
        return next(iter(self.each.values())).task

    @property
    def classes(self) -> tuple[NDArray[Any], ...]:
        return tuple(classes for head in self.each.values() for classes in head.classes)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._only.class_names if self._only else ()

    @property
    def labels(self) -> tuple[Label, ...]:
        """Of several labels the name and classes of each; else empty."""
        if self._only:
            return self._only.labels
        return tuple(
            Label(name=name, classes=head.class_names)
            for name, head in self.each.items()
            if head.classes
        )

    @property
    def value_names(self) -> tuple[str, ...]:
        """Of the outputs that are values."""
        if self.classes:
            return ()
        return ("value",) if self._only else tuple(self.each)

    def answer(self, *found: NDArray[np.float64]) -> Answer:
        """What the model's own outputs, (n, …) each, say."""
        margins = [head.margin(array) for head, array in zip(self.each.values(), found, strict=True)]
        margin = np.min(margins, axis=0) if self.classes else np.empty(0)
        return Answer(self.values(*found), margin)

    def values(self, *found: Any) -> dict[str, Any]:
        """`Answer.tensors` of the model's own outputs: numpy's arrays, or tensors of a graph."""
        if self._only:
            return self._only.values(*found)
        heads = list(self.each.values())
        read = [head.values(array) for head, array in zip(heads, found, strict=True)]
        if not self.classes:
            return {name: of["value"] for name, of in zip(self.each, read, strict=True)}
        width = max(len(classes) for classes in self.classes)
        probabilities = [_widened(of["probabilities"], width) for of in read]
        return {
            "label": np.stack([of["label"] for of in read], axis=1),
            "probabilities": np.stack(probabilities, axis=1),
        }


def _widened(probabilities: Any, width: int) -> Any:
    """(n, k) filled up with 0 to (n, width)."""
    missing = width - probabilities.shape[1]
    zero = np.zeros_like(probabilities[:, :1])
    return np.concatenate([probabilities, *[zero] * missing], axis=1) if missing else probabilities


def read_heads(
    found: Sequence[tuple[str, tuple[int, ...], str]],
    labels: Labels | None,
    classes: Sequence[Any] | None,
) -> Heads:
    """The meaning of a network's outputs, each given as name, sizes without the batch and last operator.

    An only one means what `read_head` says. Several are classifications where each would be one and
    `labels`, if there are any, are whole numbers: an array for each output by its name, or (n, outputs).
    Else all are values. Raises InputError for labels or classes that are not the model's.
    """
    if len(found) == 1:
        ((name, sizes, last),) = found
        return Heads({name: read_head(sizes, last, only(labels), classes)})
    names = [name for name, _, _ in found]
    if isinstance(labels, dict) and labels.keys() != {*names}:
        raise InputError(
            f"labels: expected an array, or one an output by its name: {', '.join(map(repr, names))}; "
            f"found {', '.join(map(repr, labels))}."
        )
    if classes is not None:
        raise InputError(
            f"classes: expected none for a model of {len(found)} outputs, whose classes are numbered; "
            f"found {len(classes)}. Leave them out."
        )
    heads = {name: read_head(sizes, last, None, None) for name, sizes, last in found}
    if all(head.classes for head in heads.values()) and _are_places(labels, len(found)):
        return Heads(heads)
    return Heads({name: Head(sizes, last) for name, sizes, last in found})


def _are_places(labels: Labels | None, count: int) -> bool:
    """Whether these may be the truth of `count` labels: whole numbers, or none are given."""
    if labels is None:
        return True
    if isinstance(labels, dict):
        return all(array.ndim == 1 and _are_whole(array) for array in labels.values())
    return labels.ndim == 2 and labels.shape[1] == count and _are_whole(labels)


def _are_whole(labels: NDArray[Any]) -> bool:
    if labels.dtype.kind in "OSU":
        raise InputError(
            "labels: found texts, and the model numbers the classes of its outputs. Give whole numbers, "
            "from 0."
        )
    return labels.dtype.kind in "biu"


def output_names(names: Iterable[str], inputs: Collection[str]) -> tuple[str, ...]:
    """What outputs are called in a bundle: as the model calls them, where that is free and tells nothing
    else, with a number behind it where several have one name."""
    taken, made = {*inputs, *MEANINGS}, []
    for name in names:
        free, at = name, 1
        while free in taken:
            free, at = f"{name}_{at}", at + 1
        taken.add(free)
        made.append(free)
    return tuple(made)
