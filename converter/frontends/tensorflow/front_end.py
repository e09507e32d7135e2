"""Keras models and SavedModels as the converter takes them: read, then put into a graph."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import helper

from converter.frontends import before as preprocessing
from converter.frontends.base import Converted, Parts, Trained
from converter.frontends.sklearn import ends, given_to, outputs_of, refused, tensors_of
from converter.frontends.tensorflow import texts, tracing
from converter.frontends.tensorflow.graph import translate
from converter.frontends.tensorflow.source import KerasSource, read
from converter.graph import Graph
from converter.inputs import DTYPES, Labels, Rows, as_rows
from converter.lowering import catalogue, registry
from converter.named import Wanted, as_named
from converter.source import Answer
from converter.standard.graph import StandardGraph
from converter.tracing.tensor import Tensor
from edge_runtime.bundle.manifest import Input, Step
from edge_runtime.errors import InputError

_NO_SPLITS = (np.empty(0, np.int64), np.empty(0, np.float64))


@dataclass(frozen=True)
class Network:
    """A Keras model or a SavedModel. before: fitted preprocessing, None for none."""

    model: Any
    before: Any = None

    def input_names(self) -> tuple[str, ...]:
        inputs = tracing.callee(self.model).inputs
        return tuple(each.name for each in inputs) if len(inputs) > 1 else ()

    def rows(self, inputs: Any, dtype: str | None) -> Rows:
        """Of the model's own dtypes, unless another is asked for; texts become their tokens."""
        wanted = tracing.callee(self.model).inputs
        if len(wanted) > 1:
            self._check_alone(wanted)
            return as_named(inputs, wanted, dtype)
        if self.before is not None:
            return as_rows(inputs, self.before, dtype)
        if isinstance(inputs, Mapping) and list(inputs) == [wanted[0].name]:
            inputs = inputs[wanted[0].name]
        if hasattr(inputs, "columns"):  # a table, of which a network sees numbers side by side
            inputs = inputs.to_numpy()
        if texts.length(self.model) is not None and np.shape(inputs)[1:] in ((), (1,)):
            inputs = texts.tokens(self.model, np.asarray(inputs))
        own = wanted[0].dtype
        return as_rows(inputs, None, dtype or (own if own in DTYPES else None))

    def read(self, rows: Rows, labels: Labels | None, classes: Sequence[Any] | None) -> Trained:
        source = read(self.model, self.before, rows, labels, classes)

        def converted(rows: Rows, _: Answer, *, standard: bool = False) -> Converted:
            return convert(source, rows, standard=standard)

        return Trained(source, converted)

    def _check_alone(self, wanted: Sequence[Wanted]) -> None:
        if self.before is not None:
            raise InputError(
                f"preprocessing: expected none before a model of {len(wanted)} inputs, as it gives one "
                "array. Make what it does a part of the model, or do it before."
            )


def convert(source: KerasSource, rows: Rows, *, standard: bool = False) -> Converted:
    """Convert a model for inputs like `rows`.

    standard: in standard operators and float32 only, as TensorRT takes them.
    Raises UnsupportedModelError, naming the layer and the operator, where no conversion exists.
    """
    declared = rows.declared()
    graph = StandardGraph() if standard else Graph()
    graph.reserve(source.value_names)
    given, made = _prepared(source, graph, declared, rows)
    values = source.heads.values(*_answers(source, graph, given))
    if made.refusals:
        values["refused"] = refused([mask for mask, _ in made.refusals])
    outputs = outputs_of(values, [each.name for each in declared])
    return Converted(
        onnx=graph.to_bytes(ends(outputs, values)),
        inputs=declared,
        outputs=outputs,
        steps=_steps(source),
        exact="",
        splits=_NO_SPLITS,
        halves=None,
        refusals=tuple(why for _, why in made.refusals),
        parts=lambda: Parts(Graph(), ()),
        preprocessing=graph.upstream([x.name for x in given]),
    )


def _prepared(
    source: KerasSource, graph: Graph, declared: tuple[Input, ...], rows: Rows
) -> tuple[list[Tensor], registry.Recording]:
    """The graph's inputs, through the preprocessing where there is one, in the model's own dtypes."""
    catalogue.load()
    given: list[Any] = (
        tensors_of(graph, declared)
        if rows.is_several
        else [given_to(graph, declared, is_table=rows.is_table)]
    )
    with registry.recording() as made:
        if source.before is not None:
            given = [preprocessing.lowered(source.before, given[0])]
        for at, wanted in enumerate(source.callee.inputs):
            if given[at].dtype.kind != "O":
                given[at] = given[at].astype(wanted.dtype)
            if at in source.limits:
                outside, given[at] = source.limits[at].split(given[at])
                which = f"input {wanted.name!r}: " if rows.is_several else ""
                registry.refuse(outside, which + source.limits[at].told())
    return given, made


def _answers(source: KerasSource, graph: Graph, given: list[Tensor]) -> list[Tensor]:
    """The model's own outputs, as float32."""
    model = translate(source.frozen)
    names = graph.inline(model, *(given[at].name for at in source.frozen.reads))
    made = []
    for name, value, head in zip(names, model.graph.output, source.heads.each.values(), strict=True):
        kind = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        made.append(Tensor(graph, name, kind, (None, *head.sizes)).astype(np.float32))
    return made


def _steps(source: KerasSource) -> tuple[Step, ...]:
    """The preprocessing, for people to read."""
    if source.before is None:
        return texts.step(source.model)
    return preprocessing.steps(source.before)
