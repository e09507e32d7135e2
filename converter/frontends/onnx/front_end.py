"""ONNX files as the converter takes them: read, checked, then put into a graph of ours."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from converter.frontends.base import Trained
from converter.frontends.head import only
from converter.frontends.onnx.batch import fixed_sizes
from converter.frontends.onnx.checking import checked
from converter.frontends.onnx.cleaning import clean
from converter.frontends.onnx.graph import convert
from converter.frontends.onnx.meaning import meaning
from converter.frontends.onnx.ports import check_inputs, port
from converter.frontends.onnx.reading import OnnxFile
from converter.frontends.onnx.rewriting import check_alone, rewritten
from converter.frontends.onnx.source import Asked, OnnxSource, prepared
from converter.inputs import DTYPES, Labels, Rows, as_rows
from edge_runtime.errors import UnsupportedModelError

_TRIED = 256  # inputs on which a rewritten model is held to the file


@dataclass(frozen=True)
class OnnxModel:
    """An ONNX file. before: fitted preprocessing, None for none."""

    file: OnnxFile
    before: Any = None

    @cached_property
    def _asked(self) -> Asked:
        """The file, checked and cleaned. Raises UnsupportedModelError."""
        subject = self.file.subject
        cleaned = clean(checked(self.file), subject)
        inputs = cleaned.proto.graph.input
        if len(inputs) != 1:
            raise UnsupportedModelError(
                f"{subject}: expected one input, found {len(inputs)}: "
                f"{', '.join(value.name for value in inputs)[:200]}. Export the model with one."
            )
        return Asked(self.file, cleaned, port(inputs[0], subject))

    def input_names(self) -> tuple[str, ...]:
        return ()

    def rows(self, inputs: Any, dtype: str | None) -> Rows:
        """Of the file's own dtype, unless another is asked for."""
        if self.before is not None:
            return as_rows(inputs, self.before, dtype)
        own = self._asked.given.given_as
        if hasattr(inputs, "columns"):  # a table, of which a network sees numbers side by side
            inputs = inputs.to_numpy()
        return as_rows(inputs, None, dtype or (own if own in DTYPES else None))

    def read(self, rows: Rows, labels: Labels | None, classes: Sequence[Any] | None) -> Trained:
        asked, subject = self._asked, self.file.subject
        truth = only(labels)
        some = prepared(self.before, rows.take(slice(_TRIED)))
        check_inputs(asked.given, some, subject)
        found = asked.about(some)
        check_alone(found, asked.about(some[:1]), subject)
        head, read = meaning(
            asked.cleaned, found, None if truth is None else truth[:_TRIED], classes, subject
        )
        source = OnnxSource(asked, self.before, head, read, fixed_sizes(asked.given, some.shape[1:]))
        return Trained(source, partial(convert, source, rewritten(source, some, found)))
