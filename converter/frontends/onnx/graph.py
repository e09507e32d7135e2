"""A rewritten ONNX model inside a graph of ours: preprocessing in front, labels behind."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import helper

from converter.frontends import before as preprocessing
from converter.frontends.base import Converted, Parts
from converter.frontends.onnx.labelled import Labelled
from converter.frontends.onnx.ports import Port
from converter.frontends.onnx.rewriting import Rewritten
from converter.frontends.onnx.source import OnnxSource
from converter.frontends.sklearn import ends, given_to, outputs_of, refused
from converter.graph import Graph
from converter.inputs import Rows
from converter.lowering import catalogue, registry
from converter.source import Answer
from converter.standard.graph import StandardGraph
from converter.tracing.tensor import Tensor
from edge_runtime.bundle.manifest import Input
from edge_runtime.errors import UnsupportedModelError

_NO_SPLITS = (np.empty(0, np.int64), np.empty(0, np.float64))


def convert(
    source: OnnxSource,
    made: Rewritten,
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
    graph.reserve(source.value_names)
    with registry.recording() as said:
        given = _given(source, graph, declared, is_table=rows.is_table)
        names = [each.name for each in given]
        answers = _answers(made, graph, names)
        _refuse(made, answers[len(source.read) :])
    read = [_rounded(source, answer) for answer in answers[: len(source.read)]]
    values = source.head.values(*read)
    if said.refusals:
        values["refused"] = refused([mask for mask, _ in said.refusals])
    outputs = outputs_of(values, [each.name for each in declared])
    return Converted(
        onnx=graph.to_bytes(ends(outputs, values)),
        inputs=declared,
        outputs=outputs,
        steps=preprocessing.steps(source.before),
        exact="",
        splits=_NO_SPLITS,
        halves=None,
        refusals=tuple(why for _, why in said.refusals),
        parts=lambda: Parts(Graph(), ()),
        preprocessing=graph.upstream(names),
        opsets=graph.opsets,
        ir_version=graph.ir_version,
    )


def _given(
    source: OnnxSource, graph: Graph, declared: tuple[Input, ...], *, is_table: bool
) -> list[Tensor]:
    """The graph's inputs, through the preprocessing where there is one, as the model has them."""
    if source.before is not None:
        x = given_to(graph, declared, is_table=is_table)
        tensors = [preprocessing.lowered(source.before, x)]
    else:
        tensors = [Tensor.input(graph, each.name, _dtype(each), each.shape) for each in declared]
    return [_as_own(port, tensor) for port, tensor in zip(source.asked.ports, tensors, strict=True)]


def _dtype(declared: Input) -> np.dtype[Any]:
    return np.dtype(object if declared.dtype == "string" else declared.dtype)


def _as_own(port: Port, x: Any) -> Tensor:
    """One input in the file's own dtype and rank."""
    if x.ndim == 1 and len(port.sizes) == 2:
        x = x[:, None]
    own: Tensor = x if port.dtype.kind == "O" else x.astype(port.dtype)
    return own


def _answers(made: Rewritten, graph: Graph, given: Sequence[str]) -> list[Tensor]:
    """The model's own outputs: those that are read, and those of its guards."""
    answers = []
    for name, value in zip(graph.inline(made.proto, *given), made.proto.graph.output, strict=True):
        tensor = value.type.tensor_type
        kind = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        sizes = [each.dim_value for each in tensor.shape.dim][1:]
        answers.append(Tensor(graph, name, kind, (None, *sizes)))
    return answers


def _refuse(made: Rewritten, said: Sequence[Tensor]) -> None:
    """Rows for which the file stops; one reason stands for all that it is true of."""
    outside: dict[str, Any] = {}
    for guard, value in zip(made.guards, said, strict=True):
        mask = guard.outside(value)
        outside[guard.why] = outside[guard.why] | mask if guard.why in outside else mask
    for why, mask in outside.items():
        registry.refuse(mask, why)


def _rounded(source: OnnxSource, answer: Tensor) -> Tensor:
    """Numbers in float32, as bundles give them; a label as it is."""
    is_label = isinstance(source.head, Labelled) and answer.dtype.kind != "f"
    rounded: Tensor = answer if is_label else answer.astype(np.float32)
    return rounded


def _check_standard(model: Any) -> None:
    for node in model.graph.node:
        if node.domain:
            raise UnsupportedModelError(
                f"the operator {node.op_type} of {node.domain} has no form in standard operators."
            )
