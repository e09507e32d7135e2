"""A label as an output of its own, perhaps beside scores, as classifiers of ai.onnx.ml give them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import numpy_helper

from converter.frontends.onnx.cleaning import classes_in
from converter.frontends.onnx.walking import HAND_ON
from converter.graph import ML
from converter.source import Answer, Tensors, apart
from converter.tracing.tensor import Tensor
from edge_runtime.bundle.manifest import Label, Task
from edge_runtime.errors import ConversionError, InputError

_PICK = {"ArrayFeatureExtractor", "Gather"}
_SUM_WITHIN = 1e-3


@dataclass(frozen=True)
class Labelled:
    """A classification that says its label itself.

    known: int64 or object (k,), the classes as the file's label has them. own: as the author's labels
        have them. has_probabilities: whether the scores beside the label, (n, k), are that.
    """

    known: NDArray[Any]
    own: NDArray[Any]
    class_names: tuple[str, ...]
    has_probabilities: bool
    task: Task = "classification"

    @property
    def classes(self) -> tuple[NDArray[Any], ...]:
        return (self.own,)

    @property
    def labels(self) -> tuple[Label, ...]:
        return ()

    @property
    def value_names(self) -> tuple[str, ...]:
        return ()

    def answer(self, label: NDArray[Any], scores: NDArray[Any] | None = None) -> Answer:
        """What the file says: its label (n,) or (n, 1), and what it gives beside it."""
        index = {value: at for at, value in enumerate(self.known.tolist())}
        found = label.reshape(-1).tolist()
        if unknown := set(found) - index.keys():
            raise ConversionError(
                f"model: expected a label of {self.known.tolist()[:10]}, found {sorted(unknown)[0]!r}. "
                "Give classes=(...), all that the model knows."
            )
        tensors: Tensors = {"label": np.array([index[value] for value in found], np.int64)}
        if scores is None or not self.has_probabilities:
            return Answer(tensors, np.empty(0))
        tensors["probabilities"] = scores.astype(np.float64)
        return Answer(tensors, apart(tensors["probabilities"]))

    def values(self, label: Tensor, scores: Tensor | None = None) -> dict[str, Tensor]:
        """The same in a graph: its outputs by name."""
        flat: Any = label if label.ndim == 1 else label[:, 0]
        values = {"label": self._indices(flat)}
        if scores is not None and self.has_probabilities:
            values["probabilities"] = scores.astype(np.float32)
        return values

    def _indices(self, label: Any) -> Tensor:
        if self.known.dtype.kind == "O":
            graph = label.graph
            places = list(range(len(self.known)))
            name = graph.node(
                "LabelEncoder", label.name, domain=ML, keys_strings=self.known.tolist(),
                values_int64s=places, default_int64=-1,
            )  # fmt: skip
            return Tensor(graph, name, np.int64, label.sizes)
        if np.array_equal(self.known, np.arange(len(self.known))):
            indices: Tensor = label.astype(np.int64)
            return indices
        same = label[:, None] == self.known[None, :]
        place: Tensor = np.argmax(same.astype(np.int64), axis=1).astype(np.int64)
        return place


def read_labelled(
    known: NDArray[Any] | None,
    label: NDArray[Any],
    scores: NDArray[Any] | None,
    labels: NDArray[Any] | None,
    classes: Sequence[Any] | None,
) -> Labelled:
    """What a label means. known: the classes that the file names, in order.

    label, scores: the file's answers to some inputs. labels: perhaps the truth of those. Raises
    InputError for `classes` that are not the model's, or where they are needed.
    """
    width = None if scores is None or scores.ndim != 2 else scores.shape[1]
    values = _values(known, label, width, classes)
    names = tuple(str(each) for each in (values.tolist() if classes is None else classes))
    is_text = labels is not None and labels.dtype.kind in "OSU"
    own = np.array(names, dtype=object) if is_text else values
    proba = scores is not None and width == len(values) and _are_probabilities(scores)
    return Labelled(values, own, names, proba)


def _values(
    known: NDArray[Any] | None, label: NDArray[Any], width: int | None, classes: Sequence[Any] | None
) -> NDArray[Any]:
    """The classes as the file's label has them."""
    is_text = label.dtype.kind == "O"
    if known is not None and (known.dtype.kind == "O") != is_text:
        known = None
    if classes is not None:
        if known is not None and len(known) != len(classes):
            raise InputError(
                f"classes: expected {len(known)}, as many as the model's {known.tolist()[:10]}; found "
                f"{len(classes)}."
            )
        if known is None and is_text:
            return np.array([str(each) for each in classes], dtype=object)
        if known is None and all(isinstance(each, int) for each in classes):
            return np.array(classes, dtype=np.int64)
    if known is not None:
        return known
    count = width if classes is None else len(classes)
    if is_text or count is None or count < 2 or not 0 <= label.min() <= label.max() < count:
        raise InputError(
            "classes: the model gives a label, and does not say which there are. Give classes=(...), in "
            "the order of its probabilities, if it has some."
        )
    return np.arange(count)


def _are_probabilities(scores: NDArray[Any]) -> bool:
    sums = scores.astype(np.float64).sum(axis=1)
    return bool((scores >= -1e-6).all() and (np.abs(sums - 1) < _SUM_WITHIN).all())


def classes_of(graph: Any, name: str) -> NDArray[Any] | None:
    """The classes that a label is one of, int64 or object (k,), where the graph says so.

    A classifier of ai.onnx.ml names them; else the label is picked out of a constant.
    """
    makers = {output: node for node in graph.node for output in node.output}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    while (node := makers.get(name)) is not None:
        if (found := classes_in(node)) is not None:
            return found
        if node.op_type in _PICK and node.input[0] in constants:
            picked = numpy_helper.to_array(constants[node.input[0]]).reshape(-1)
            if picked.dtype.kind in "OSU":
                return np.array([_text(each) for each in picked.tolist()], dtype=object)
            return np.asarray(picked, dtype=np.int64)
        if node.op_type not in HAND_ON:
            return None
        name = node.input[0]
    return None


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
