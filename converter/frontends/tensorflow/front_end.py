"""Keras models and SavedModels as the converter takes them: read, then put into a graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import helper

from converter.frontends import before as preprocessing
from converter.frontends.base import Converted, Parts, Trained
from converter.frontends.head import only
from converter.frontends.sklearn import given_to, outputs_of, refused
from converter.frontends.tensorflow import texts, tracing
from converter.frontends.tensorflow.graph import translate
from converter.frontends.tensorflow.source import KerasSource, read
from converter.graph import Graph
from converter.inputs import DTYPES, Labels, Rows, as_rows
from converter.lowering import catalogue, registry
from converter.source import Answer
from converter.standard.graph import StandardGraph
from converter.tracing.tensor import Tensor
from edge_runtime.bundle.manifest import Input, Step

_NO_SPLITS = (np.empty(0, np.int64), np.empty(0, np.float64))


@dataclass(frozen=True)
class Network:
    """A Keras model or a SavedModel. before: fitted preprocessing, None for none."""

    model: Any
    before: Any = None

    def input_names(self) -> tuple[str, ...]:
        return ()

    def rows(self, inputs: Any, dtype: str | None) -> Rows:
        """Of the model's own dtype, unless another is asked for; texts become their tokens."""
        if self.before is not None:
            return as_rows(inputs, self.before, dtype)
        own = tracing.callee(self.model).dtype
        if hasattr(inputs, "columns"):  # a table, of which a network sees numbers side by side
            inputs = inputs.to_numpy()
        if texts.length(self.model) is not None and np.shape(inputs)[1:] in ((), (1,)):
            inputs = texts.tokens(self.model, np.asarray(inputs))
        return as_rows(inputs, None, dtype or (own if own in DTYPES else None))

    def read(self, rows: Rows, labels: Labels | None, classes: Sequence[Any] | None) -> Trained:
        source = read(self.model, self.before, rows, only(labels), classes)

        def converted(rows: Rows, _: Answer, *, standard: bool = False) -> Converted:
            return convert(source, rows, standard=standard)

        return Trained(source, converted)


def convert(source: KerasSource, rows: Rows, *, standard: bool = False) -> Converted:
    """Convert a model for inputs like `rows`.

    standard: in standard operators and float32 only, as TensorRT takes them.
    Raises UnsupportedModelError, naming the layer and the operator, where no conversion exists.
    """
    declared = rows.declared()
    graph = StandardGraph() if standard else Graph()
    x, made = _prepared(source, graph, declared, is_table=rows.is_table)
    values = source.head.values(_answer(source, graph, x))
    if made.refusals:
        values["refused"] = refused([mask for mask, _ in made.refusals])
    outputs = {name: (tensor.name, tensor.dtype.name, tensor.shape) for name, tensor in values.items()}
    return Converted(
        onnx=graph.to_bytes(outputs),
        inputs=declared,
        outputs=outputs_of(values),
        steps=_steps(source),
        exact="",
        splits=_NO_SPLITS,
        halves=None,
        refusals=tuple(why for _, why in made.refusals),
        parts=lambda: Parts(Graph(), ()),
        preprocessing=graph.upstream([x.name]),
    )


def _prepared(
    source: KerasSource, graph: Graph, declared: tuple[Input, ...], *, is_table: bool
) -> tuple[Tensor, registry.Recording]:
    """The graph's inputs, through the preprocessing where there is one, in the model's own dtype."""
    catalogue.load()
    x: Any = given_to(graph, declared, is_table=is_table)
    with registry.recording() as made:
        if source.before is not None:
            x = preprocessing.lowered(source.before, x)
        if x.dtype.kind != "O":
            x = x.astype(source.callee.dtype)
        if source.limits is not None:
            outside, x = source.limits.split(x)
            registry.refuse(outside, source.limits.told())
    return x, made


def _answer(source: KerasSource, graph: Graph, x: Tensor) -> Tensor:
    """The model's own output, as float32."""
    model = translate(source.frozen)
    kind = helper.tensor_dtype_to_np_dtype(model.graph.output[0].type.tensor_type.elem_type)
    (name,) = graph.inline(model, x.name)
    made: Tensor = Tensor(graph, name, kind, (None, *source.head.sizes)).astype(np.float32)
    return made


def _steps(source: KerasSource) -> tuple[Step, ...]:
    """The preprocessing, for people to read."""
    if source.before is None:
        return texts.step(source.model)
    return preprocessing.steps(source.before)
