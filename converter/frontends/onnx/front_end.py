"""ONNX files as the converter takes them: read, checked, then put into a graph of ours."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from converter.frontends.base import Trained
from converter.frontends.onnx.batch import fixed_sizes
from converter.frontends.onnx.checking import checked
from converter.frontends.onnx.cleaning import clean
from converter.frontends.onnx.graph import convert
from converter.frontends.onnx.meaning import meaning
from converter.frontends.onnx.ports import port
from converter.frontends.onnx.reading import OnnxFile
from converter.frontends.onnx.rewriting import check_alone, rewritten
from converter.frontends.onnx.source import Asked, OnnxSource
from converter.inputs import DTYPES, Labels, Rows, as_rows
from converter.named import as_named
from edge_runtime.errors import InputError, UnsupportedModelError

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
        ports = tuple(port(value, subject) for value in cleaned.proto.graph.input)
        if not ports or (self.before is not None and len(ports) > 1):
            raise UnsupportedModelError(
                f"{subject}: expected {'one input behind the preprocessing' if ports else 'an input'}, "
                f"found {len(ports) or 'none'}. Export the model with one."
            )
        return Asked(self.file, cleaned, ports)

    def input_names(self) -> tuple[str, ...]:
        names = tuple(each.name for each in self._asked.ports)
        is_one = len(names) == 1 or self.before is not None or self.file.feature_names_in_ is not None
        return () if is_one else names

    def rows(self, inputs: Any, dtype: str | None) -> Rows:
        """Of the file's own dtypes, unless another is asked for."""
        if self.before is not None:
            return as_rows(inputs, self.before, dtype)
        ports = self._asked.ports
        is_frame = hasattr(inputs, "columns")
        if len(ports) > 1:
            known = self.file.feature_names_in_
            if is_frame and known:
                own = "float64" if any(each.dtype == np.float64 for each in ports) else "float32"
                return as_rows(inputs, self.file, dtype or own)
            if known and any(each.dtype.kind == "O" for each in ports):
                raise InputError(
                    f"inputs: expected a DataFrame of the columns {', '.join(map(repr, known[:20]))}, "
                    f"found {type(inputs).__name__}."
                )
            return as_named(inputs, [each.wanted for each in ports], dtype)
        if is_frame:  # a table, of which a network sees numbers side by side
            inputs = inputs.to_numpy()
        own = ports[0].given_as
        return as_rows(inputs, None, dtype or (own if own in DTYPES else None))

    def read(self, rows: Rows, labels: Labels | None, classes: Sequence[Any] | None) -> Trained:
        asked, subject = self._asked, self.file.subject
        some = asked.feeds(self.before, rows.take(slice(_TRIED)))
        found = asked.about(some)
        one = {name: array[:1] for name, array in some.items()}
        check_alone(found, asked.about(one), asked.about(one), subject)
        head, read = meaning(asked.cleaned, found, labels, classes, inputs=rows.arrays, subject=subject)
        source = OnnxSource(asked, self.before, head, read, fixed_sizes(asked.ports, some))
        return Trained(source, partial(convert, source, rewritten(source, some, found)))
