"""A cleaned model made fit for bundles: its batch free, its operators ours, its names by place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from converter.frontends.naming import named_by_place
from converter.frontends.onnx.batch import freed
from converter.frontends.onnx.guards import Guard, guarded
from converter.frontends.onnx.opsets import settled
from converter.frontends.onnx.running import Feeds, Running
from converter.frontends.onnx.source import OnnxSource
from converter.parity import TOLERANCE
from edge_runtime.errors import UnsupportedModelError

Arrays = Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Rewritten:
    """proto: the model. opsets: the versions of its operators by domain. guards: what the outputs behind
    those that are read say, one each."""

    proto: Any
    opsets: dict[str, int]
    guards: tuple[Guard, ...]


def rewritten(source: OnnxSource, given: Feeds, found: Arrays) -> Rewritten:
    """The model of those outputs that are read, held to what the file answers.

    given: inputs as the file takes them. found: all its outputs to them. Raises UnsupportedModelError.
    """
    asked, subject = source.asked, source.model.subject
    model = onnx.ModelProto()
    model.CopyFrom(asked.cleaned.proto)
    outputs = [asked.cleaned.proto.graph.output[at] for at in source.read]
    model.graph.ClearField("output")
    model.graph.output.extend(outputs)
    expected = [found[at] for at in source.read]
    two = [0, len(found[0]) - 1]
    first = {name: array[two] for name, array in given.items()}
    freed(model, asked.ports, first, [each[two] for each in expected], subject)

    def agrees(made: Any) -> bool:
        names = [value.name for value in made.graph.output]
        inputs = [value.name for value in made.graph.input]
        try:
            running = Running(made.SerializeToString(), "the rewritten model")
            heard = running.ask(names, dict(zip(inputs, given.values(), strict=True)))
        except Exception:  # noqa: BLE001 -- ONNX Runtime's have no common base
            return False
        return all(map(_same, expected, heard))

    made = settled(model, agrees, subject)
    proto, guards = guarded(made.proto, first)
    return Rewritten(named_by_place(proto), made.opsets, guards)


def check_alone(found: Arrays, alone: Arrays, again: Arrays, subject: str) -> None:
    """Raises UnsupportedModelError where a row has another answer each time, or alone.

    found: the file's answers to several. alone, again: to the first of them, asked twice.
    """
    if not all(map(_same, alone, again)):
        raise UnsupportedModelError(
            f"{subject}: expected one answer to one row, found another each time: it draws random "
            "numbers. Export the model for inference."
        )
    if not all(_same(one, several[:1]) for one, several in zip(alone, found, strict=True)):
        raise UnsupportedModelError(
            f"{subject}: expected a row's answer to be its own, found one that depends on the other "
            "rows it is asked with. Export the model for inference, its first axis the batch."
        )


def _same(said: NDArray[Any], heard: NDArray[Any]) -> bool:
    """Whether labels are equal, and numbers as close as parity demands."""
    if said.shape != heard.shape or said.dtype.kind != "f":
        return np.array_equal(said, heard)
    scale = max(1.0, float(np.abs(said[np.isfinite(said)]).max(initial=0.0)))
    return np.allclose(heard, said, rtol=0, atol=TOLERANCE * scale, equal_nan=True)
