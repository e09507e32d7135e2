"""ONNX files written by hand, and by skl2onnx; inputs; and what the files say themselves."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from skl2onnx import to_onnx

import converter
from converter.converted import ConvertedBundle

FLOAT, INT64, STRING = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.STRING
RANDOM = np.random.default_rng(7)
ROWS: NDArray[Any] = RANDOM.normal(size=(40, 6)).astype(np.float32)
WEIGHTS: NDArray[Any] = RANDOM.normal(size=(6, 3)).astype(np.float32)
Port = tuple[str, int, Sequence[int | str | None] | None]


def constant(name: str, array: Any, dtype: Any = None) -> Any:
    return numpy_helper.from_array(np.asarray(array, dtype=dtype), name)


def model(
    nodes: Sequence[Any],
    *,
    given: Port = ("x", FLOAT, ["n", 6]),
    made: Port | Sequence[Port] = ("y", FLOAT, ["n", 3]),
    constants: Sequence[Any] = (),
    opset: int = 17,
    ir_version: int = 8,
    more: Sequence[Any] = (),
    functions: Sequence[Any] = (),
) -> Any:
    """An `onnx.ModelProto`, not checked. more: further operator sets."""
    outputs = [made] if isinstance(made, tuple) else made
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(*given)],
        [helper.make_tensor_value_info(*each) for each in outputs],
        list(constants),
    )
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", opset), *more],
        ir_version=ir_version,
        functions=list(functions),
        producer_name="tests",
    )


def dense(last: str = "Softmax", **options: Any) -> Any:
    """x (n, 6) times WEIGHTS, through an operator."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["logits"]),
        helper.make_node(last, ["logits"], ["y"]),
    ]
    return model(nodes, constants=[constant("w", WEIGHTS)], **options)


def by_skl2onnx(estimator: Any, rows: Any, truth: Any = None, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # skl2onnx looks at what scikit-learn gives up
        fitted = estimator.fit(rows, truth)
        return to_onnx(fitted, rows[:1], options=options or None, target_opset={"": 17, "ai.onnx.ml": 3})


def converted(model: Any, inputs: Any = ROWS, labels: Any = None, **options: Any) -> ConvertedBundle:
    return converter.convert(model, inputs, labels, name="net", version="1.0.0", **options)


def graph_of(bundle: ConvertedBundle) -> Any:
    """The graph that a bundle ships."""
    return onnx.load_model_from_string(bundle.artifacts[bundle.manifest.variants[0].file])


def operators(bundle: ConvertedBundle) -> list[str]:
    return [node.op_type for node in graph_of(bundle).graph.node]


def said(model: Any, inputs: NDArray[Any]) -> list[Any]:
    """What a file answers in ONNX Runtime, one row at a time, each answer without its batch."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    rows = [session.run(None, {name: inputs[at : at + 1]}) for at in range(len(inputs))]
    return [np.array([answer[0] for answer in column]) for column in zip(*rows, strict=True)]
