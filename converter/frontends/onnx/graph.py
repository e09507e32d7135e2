"""A rewritten ONNX model inside a graph of ours: preprocessing in front, labels behind."""

from typing import Any

import numpy as np
from onnx import helper

from converter.frontends import before as preprocessing
from converter.frontends.base import Converted, Parts
from converter.frontends.onnx.lookups import lookups
from converter.frontends.onnx.opsets import Settled
from converter.frontends.onnx.source import OnnxSource
from converter.frontends.sklearn import given_to, outputs_of, refused
from converter.graph import Graph
from converter.inputs import Rows
from converter.lowering import catalogue, registry
from converter.source import Answer
from converter.standard.graph import StandardGraph
from converter.tracing.tensor import Tensor
from edge_runtime.errors import UnsupportedModelError

_NO_SPLITS = (np.empty(0, np.int64), np.empty(0, np.float64))


def convert(
    source: OnnxSource,
    made: Settled,
    rows: Rows,
    expected: Answer,  # noqa: ARG001
    *,
    standard: bool = False,
) -> Converted:
    """Convert a model for inputs like `rows`.

    standard: in standard operators and float32 only, as TensorRT takes them.
    Raises UnsupportedModelError where no conversion exists.
    """
    if standard:
        _check_standard(made.proto)
    catalogue.load()
    declared = rows.declared()
    graph = (StandardGraph if standard else Graph)(made.opsets)
    with registry.recording() as said:
        x = _prepared(source, made, given_to(graph, declared, is_table=rows.is_table))
    values = source.head.values(*_answers(made, graph, x))
    if said.refusals:
        values["refused"] = refused([mask for mask, _ in said.refusals])
    outputs = {name: (tensor.name, tensor.dtype.name, tensor.shape) for name, tensor in values.items()}
    return Converted(
        onnx=graph.to_bytes(outputs),
        inputs=declared,
        outputs=outputs_of(values),
        steps=preprocessing.steps(source.before),
        exact="",
        splits=_NO_SPLITS,
        halves=None,
        refusals=tuple(why for _, why in said.refusals),
        parts=lambda: Parts(Graph(), ()),
        opsets=graph.opsets,
        ir_version=graph.ir_version,
    )


def _prepared(source: OnnxSource, made: Settled, x: Any) -> Tensor:
    """The graph's inputs, through the preprocessing where there is one, in the file's own dtype."""
    if source.before is not None:
        x = preprocessing.lowered(source.before, x)
    dtype = source.asked.given.dtype
    if dtype.kind != "O":
        x = x.astype(dtype)
    limits = lookups(made.proto.graph) if dtype.kind in "iu" else None
    if limits is not None:
        outside, x = limits.split(x)
        registry.refuse(outside, limits.told())
    given: Tensor = x
    return given


def _answers(made: Settled, graph: Graph, x: Tensor) -> list[Tensor]:
    """The model's own outputs, those that are read."""
    answers = []
    for name, value in zip(graph.inline(made.proto, x.name), made.proto.graph.output, strict=True):
        tensor = value.type.tensor_type
        kind = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        sizes = [each.dim_value for each in tensor.shape.dim][1:]
        answer = Tensor(graph, name, kind, (None, *sizes))
        answers.append(answer.astype(np.float32) if kind.kind == "f" else answer)
    return answers


def _check_standard(model: Any) -> None:
    for node in model.graph.node:
        if node.domain:
            raise UnsupportedModelError(
                f"the operator {node.op_type} of {node.domain} has no form in standard operators."
            )
