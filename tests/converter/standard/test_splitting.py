"""What TensorRT lacks, texts and float64, goes into a first graph for ONNX Runtime."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from converter.standard.graph import StandardGraph
from converter.standard.splitting import Split, split
from converter.tracing import ops
from converter.tracing.tensor import Tensor
from edge_runtime.errors import UnsupportedModelError


def cut(compute: Any, inputs: dict[str, str]) -> tuple[bytes, Split]:
    graph = StandardGraph()
    given = {name: Tensor.input(graph, name, dtype, (None, 2)) for name, dtype in inputs.items()}
    outputs = compute(**given)
    raw = graph.to_bytes(
        {name: (each.name, each.dtype.name, each.sizes) for name, each in outputs.items()}
    )
    return raw, split(raw)


def run(raw: bytes, rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(raw, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    read = {each.name for each in session.get_inputs()}
    return dict(zip(names, session.run(None, {n: v for n, v in rows.items() if n in read}), strict=True))


def places(texts: Any, numbers: Any) -> dict[str, Any]:
    found = ops.lookup(texts, ["red", "green"])
    return {"value": numbers * 2 + found.astype(np.float32), "refused": (found[:, 0] < 0).astype(int)}


def test_numbers_alone_are_one_graph() -> None:
    raw, parts = cut(lambda x: {"y": x + np.float32(1)}, {"x": "float32"})
    assert parts == Split(b"", raw)


def test_texts_are_looked_up_first_and_both_parts_give_what_the_whole_gives() -> None:
    raw, parts = cut(places, {"texts": "object", "numbers": "float32"})
    rows = {
        "texts": np.array([["red", "green"], ["blue", "red"]], object),
        "numbers": np.array([[1, 2], [3, 4]], np.float32),
    }
    between = run(parts.host, rows)
    found = run(parts.main, {**rows, **between})
    for name, expected in run(raw, rows).items():
        assert np.array_equal(found[name], expected), name
    host, main = (onnx.load_from_string(each) for each in (parts.host, parts.main))
    assert [node.op_type for node in host.graph.node] == ["LabelEncoder"]
    assert {each.domain for each in main.opset_import} == {""}
    assert {each.name for each in main.graph.input} >= {"numbers"}


def test_float64_rows_are_rounded_first() -> None:
    _, parts = cut(lambda x: {"y": x.astype(np.float32) * np.float32(3)}, {"x": "float64"})
    assert [node.op_type for node in onnx.load_from_string(parts.host).graph.node] == ["Cast"]
    rows = np.array([[0.1, 2.0]])
    between = run(parts.host, {"x": rows})
    assert np.array_equal(run(parts.main, between)["y"], rows.astype(np.float32) * np.float32(3))


def test_an_output_of_the_first_part_keeps_its_name() -> None:
    _, parts = cut(
        lambda texts, x: {"place": ops.lookup(texts, ["a"]), "y": x + np.float32(1)},
        {"texts": "object", "x": "float32"},
    )
    rows = {"texts": np.array([["a", "b"]], object), "x": np.zeros((1, 2), np.float32)}
    found = run(parts.main, {**rows, **run(parts.host, rows)})
    assert found["place"].tolist() == [[0, -1]]


def test_where_nothing_is_left_for_tensorrt_that_is_said() -> None:
    with pytest.raises(UnsupportedModelError, match="nothing is left"):
        cut(lambda texts: {"place": ops.lookup(texts, ["a"])}, {"texts": "object"})
