"""Which outputs of an ONNX model are read, and what they mean."""

from collections.abc import Collection, Sequence
from typing import Any

from numpy.typing import NDArray

from converter.frontends.head import only
from converter.frontends.heads import Heads, output_names, read_heads
from converter.frontends.onnx.cleaning import Cleaned
from converter.frontends.onnx.labelled import Labelled, classes_of, read_labelled
from converter.frontends.onnx.walking import HAND_ON
from converter.inputs import Labels
from edge_runtime.errors import UnsupportedModelError

_LABEL_KINDS = "biuOSU"
_MAX_NAME = 100

Reading = tuple[Heads | Labelled, tuple[int, ...]]


def meaning(
    cleaned: Cleaned,
    found: Sequence[NDArray[Any]],
    labels: Labels | None,
    classes: Sequence[Any] | None,
    *,
    inputs: Collection[str],
    subject: str,
) -> Reading:
    """How outputs are read, and the places of those that are.

    found: what the file answers to some inputs. labels: perhaps the truth. inputs: names that outputs
    cannot have.
    A whole number or text beside at most one row of numbers is a label, with what stands beside it;
    numbers alone are what `read_heads` makes of them. Raises UnsupportedModelError for texts, InputError
    for labels or classes that are not the model's.
    """
    graph = cleaned.proto.graph
    names = [value.name for value in graph.output]
    at = [place for place, each in enumerate(found) if _is_label(each)]
    others = [place for place, each in enumerate(found) if each.dtype.kind == "f"]
    is_label = len(at) == 1 and len(others) == len(found) - 1 <= 1
    if len(found) == 1 and is_label and found[0].dtype.kind != "O":
        # A whole number alone may be a value, too.
        is_label = classes is not None or classes_of(graph, names[0]) is not None
    if is_label:
        read = (*at, *others)
        zipped = next(iter(cleaned.zipped.values()), None)
        known = classes_of(graph, names[at[0]]) if zipped is None else zipped
        scores = found[others[0]] if others else None
        return read_labelled(known, found[at[0]], scores, only(labels), classes), read
    if any(each.dtype.kind == "O" for each in found):
        raise UnsupportedModelError(
            f"{subject}: expected numbers or a label as the output, found rows of texts. Export "
            "the model with numbers as its output."
        )
    shown = (
        name if name.isprintable() and 0 < len(name) <= _MAX_NAME else f"output_{at}"
        for at, name in enumerate(cleaned.outputs)
    )
    called = output_names(shown, inputs)
    lasts = [last_operator(graph, name) for name in names]
    shapes = [each.shape[1:] for each in found]
    return read_heads(list(zip(called, shapes, lasts, strict=True)), labels, classes), (
        *range(len(found)),
    )


def _is_label(found: NDArray[Any]) -> bool:
    return found.dtype.kind in _LABEL_KINDS and found.shape[1:] in ((), (1,))


def last_operator(graph: Any, name: str) -> str:
    """The operator that makes a value's numbers, such as Softmax; "" for an input."""
    makers = {output: node for node in graph.node for output in node.output}
    while (node := makers.get(name)) is not None:
        if node.op_type not in HAND_ON:
            return str(node.op_type) if node.op_type != "Softmax" or _is_of_rows(node) else ""
        name = node.input[0]
    return ""


def _is_of_rows(softmax: Any) -> bool:
    """Whether a Softmax goes along the last axis of rows, and so makes probabilities."""
    return all(each.name != "axis" or each.i in (1, -1) for each in softmax.attribute)
