"""What an ONNX file says itself, its bytes unchanged: what the variant must agree with."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.foreign import translated
from converter.frontends import before as preprocessing
from converter.frontends.before import LIKE_TRAINING
from converter.frontends.heads import Heads
from converter.frontends.onnx.cleaning import Cleaned
from converter.frontends.onnx.labelled import Labelled
from converter.frontends.onnx.ports import Port, batch_of, check_inputs
from converter.frontends.onnx.reading import OnnxFile
from converter.frontends.onnx.running import Feeds, Running
from converter.inputs import Rows, with_missing_text
from converter.source import Answer
from edge_runtime.bundle.manifest import Label, Task

_MAX_PRODUCER = 60


@dataclass(frozen=True)
class Asked:
    """The file itself, in ONNX Runtime without optimizations.

    cleaned: says which of its outputs were maps. ports: its inputs.
    """

    file: OnnxFile
    cleaned: Cleaned
    ports: tuple[Port, ...]

    @cached_property
    def _running(self) -> Running:
        return Running(self.file.raw, self.file.subject, batch_of(self.ports))

    def about(self, given: Feeds) -> list[NDArray[Any]]:
        """Every output for inputs (n, …). Raises ConversionError where ONNX Runtime refuses them."""
        shapes = ", ".join(str(array.shape) for array in given.values())
        with translated(f"{self.file.subject} refuses inputs of shape {shapes}", advice=LIKE_TRAINING):
            found = self._running.ask(self.cleaned.outputs, given)
        return [
            self._unzipped(name, each) for name, each in zip(self.cleaned.outputs, found, strict=True)
        ]

    def feeds(self, before: Any, rows: Rows) -> dict[str, NDArray[Any]]:
        """Rows as the file takes them, behind the preprocessing. Raises InputError for others."""
        if before is not None:
            arrays = {self.ports[0].name: preprocessing.transformed(before, rows)}
        elif len(self.ports) == 1:
            arrays = {self.ports[0].name: rows.array}
        else:
            arrays = rows.arrays
        return {port.name: self._fed(port, arrays[port.name]) for port in self.ports}

    def _fed(self, port: Port, array: NDArray[Any]) -> NDArray[Any]:
        """One input, in the file's own dtype; a table's column as the file has it."""
        if array.ndim == 1 and len(port.sizes) == 2:
            array = array[:, None]
        check_inputs(port, array, self.file.subject)
        if port.dtype.kind == "O":
            return with_missing_text(array).astype(object)
        return array.astype(port.dtype)

    def _unzipped(self, name: str, found: Any) -> NDArray[Any]:
        """Maps of classes to probabilities as rows."""
        known = self.cleaned.zipped.get(name)
        if known is None:
            return np.asarray(found)
        return np.array([[row[each] for each in known.tolist()] for row in found], np.float32)


@dataclass(frozen=True)
class OnnxSource:
    """An ONNX file and what it predicts.

    before: fitted preprocessing whose output it was trained on; None for none. head: how its outputs are
    read, those at the places `read` in that order. fixed: sizes that the file leaves open and the inputs
    fix, for people.
    """

    asked: Asked
    before: Any
    head: Heads | Labelled
    read: tuple[int, ...]
    fixed: str = ""

    @property
    def model(self) -> OnnxFile:
        return self.asked.file

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
        return self.head.value_names

    @property
    def libraries(self) -> tuple[str, ...]:
        return ("scikit-learn",) if self.before is not None else ()

    def describe(self) -> str:
        """Such as `ONNX of opset 13 by pytorch 2.3`, with the preprocessing before it."""
        model = self.model.proto
        opset = next(
            (each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), "?"
        )
        producer = f"{model.producer_name} {model.producer_version}".strip()
        told = "".join(each for each in producer if each.isprintable())[:_MAX_PRODUCER]
        own = f"ONNX of opset {opset}" + (f" by {told}" if told else "")
        return preprocessing.named(
            self.before, f"{own}, {self.fixed} by the inputs" if self.fixed else own
        )

    def run(self, rows: Rows) -> Answer:
        """Ask the file about every row. Raises ConversionError when it refuses them."""
        found = self.asked.about(self.asked.feeds(self.before, rows))
        read = [found[at] for at in self.read]
        if isinstance(self.head, Labelled):
            return self.head.answer(*read)
        return self.head.answer(*(each.astype(np.float64) for each in read))
