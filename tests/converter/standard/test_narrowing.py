"""From float64 to float32 without moving a comparison that float32 can decide."""

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from converter.graph import Graph
from converter.standard.graph import StandardGraph
from converter.standard.narrowing import narrow, rounded
from converter.tracing.tensor import Tensor
from edge_runtime.errors import UnsupportedModelError
from tests.converter.onnx_run import run_onnx

FLOATS = st.floats(-1e30, 1e30)
COMPARISONS = {
    "<=": lambda x, t: x <= t, "<": lambda x, t: x < t, ">=": lambda x, t: x >= t,
    ">": lambda x, t: x > t, "==": lambda x, t: x == t, "t <": lambda x, t: t < x,
    "t >=": lambda x, t: t >= x,
}  # fmt: skip


def finished(compute: Any, dtype: str = "float32") -> tuple[bytes, StandardGraph]:
    graph = StandardGraph()
    answer = compute(Tensor.input(graph, "x", dtype, (None, 3)))
    return graph.to_bytes({"y": (answer.name, answer.dtype.name, answer.sizes)}), graph


@given(FLOATS, st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_rounding_a_threshold_keeps_every_comparison_with_float32(limit: float, x: float) -> None:
    way = {name: float(rounded(np.array(limit), name)) for name in ("down", "up", "equal")}
    assert (x <= limit) == (x <= way["down"])
    assert (x > limit) == (x > way["down"])
    assert (x < limit) == (x < way["up"])
    assert (x >= limit) == (x >= way["up"])
    assert (x == limit) == (x == way["equal"])


def test_the_nearest_of_a_finite_number_is_finite_and_0_of_0_only() -> None:
    found = rounded(np.array([1e300, -1e300, 1e-300, -1e-300, 0.0, np.inf, 0.1]))
    limits = np.finfo(np.float32)
    tiny = limits.smallest_normal
    assert found.tolist() == [limits.max, -limits.max, tiny, -tiny, 0.0, np.inf, float(np.float32(0.1))]


@pytest.mark.parametrize("name", COMPARISONS)
def test_a_comparison_with_a_float64_constant_stays_the_same_for_every_float32(name: str) -> None:
    limits = np.array([0.1, 1 / 3, 0.5])
    beside = np.nextafter(limits.astype(np.float32), np.float32(np.inf))
    below = np.nextafter(limits.astype(np.float32), np.float32(-np.inf))
    rows = np.stack([limits.astype(np.float32), beside, below])

    def compute(x: Any) -> Any:
        return COMPARISONS[name](x.astype(np.float64), limits).astype(np.float32)

    raw, _ = finished(compute)
    (found,) = run_onnx(raw, rows)
    assert np.array_equal(found, compute(rows))
    assert types_of(raw) == {TensorProto.FLOAT}


def test_no_float64_is_left_and_no_cast_between_the_two() -> None:
    raw, _ = finished(lambda x: (x.astype(np.float64) * (1 / 3)).astype(np.float32) + np.float32(1))
    assert [node.op_type for node in onnx.load_from_string(raw).graph.node] == ["Mul", "Add"]
    assert types_of(raw) == {TensorProto.FLOAT}


def test_float64_rows_are_cast_once_and_stay_float64_outside() -> None:
    raw, _ = finished(lambda x: x * 2.0 + x, "float64")
    model = onnx.load_from_string(raw)
    assert [node.op_type for node in model.graph.node] == ["Cast", "Mul", "Add"]
    assert model.graph.input[0].type.tensor_type.elem_type == TensorProto.DOUBLE
    assert run_onnx(raw, np.array([[1.0, 2.0, 3.0]]))[0].tolist() == [[3, 6, 9]]


def test_what_trees_read_is_known_to_be_changed_or_not() -> None:
    exact = {
        "as given": lambda x: x,
        "through float64": lambda x: x.astype(np.float64)[:, [2, 0, 1]].astype(np.float32),
        "0 or 1": lambda x: (x.astype(np.float64) <= 0.1).astype(np.float32),
        "computed in float32": lambda x: (x - np.float32(1.5)) / np.float32(3),
    }
    changed = {
        "computed in float64": lambda x: (x * np.array([0.1, 0.2, 0.3])).astype(np.float32),
        "filled with 0.1": lambda x: np.where(np.isnan(x), 0.1, x.astype(np.float64)),
    }
    for name, compute in {**exact, **changed}.items():
        assert keeps_leaves(compute, "float32") == (name in exact), name


def test_float64_rows_that_the_source_rounds_itself_are_not_changed() -> None:
    cases = {
        "rounded": (lambda x: x.astype(np.float32), True),
        "moved, then rounded": (lambda x: np.concatenate([x, x[:, :1]], 1).astype(np.float32), True),
        "computed with": (lambda x: x * 1.0, False),
        "computed with, then rounded": (lambda x: (x * 1.0).astype(np.float32), False),
        "compared": (lambda x: (x <= 0.1).astype(np.float32), False),
        "not rounded": (lambda x: x, False),
    }
    for name, (compute, keeps) in cases.items():
        assert keeps_leaves(compute, "float64") == keeps, name


def test_whole_numbers_of_inputs_may_have_more_digits_than_float32() -> None:
    def in_float64(x: Any) -> Any:
        return np.concatenate([x, x[:, :1]], axis=1).astype(np.float64)

    assert not keeps_leaves(in_float64, "int64")
    assert not keeps_leaves(in_float64, "int32")
    assert keeps_leaves(in_float64, "uint8")
    assert keeps_leaves(lambda x: in_float64(x).astype(np.float32), "int64")  # as the source rounds them
    assert keeps_leaves(lambda x: (x > 3).astype(np.int64).astype(np.float64), "float32")


def keeps_leaves(compute: Any, dtype: str) -> bool:
    graph = StandardGraph()
    seen = compute(Tensor.input(graph, "x", dtype, (None, 3)))
    graph.read_by_trees.append(seen.name)
    answer = -seen
    graph.to_bytes({"y": (answer.name, answer.dtype.name, answer.sizes)})
    return graph.keeps_leaves


def test_operator_sets_that_nothing_uses_are_not_imported() -> None:
    raw, _ = finished(lambda x: x + np.float32(1))
    assert [each.domain for each in onnx.load_from_string(raw).opset_import] == [""]


def test_a_graph_inside_a_node_is_refused() -> None:
    inner = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["z"])],
        "inner", [], [helper.make_tensor_value_info("z", TensorProto.DOUBLE, [1])],
    )  # fmt: skip
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    model = helper.make_model(
        helper.make_graph(
            [node], "outer",
            [helper.make_tensor_value_info("c", TensorProto.BOOL, []),
             helper.make_tensor_value_info("x", TensorProto.DOUBLE, [1])],
            [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [1])],
        )
    )  # fmt: skip
    with pytest.raises(UnsupportedModelError, match="If holds graphs"):
        narrow(model)


def types_of(raw: bytes) -> set[int]:
    """The float types of all values of a graph."""
    graph = onnx.shape_inference.infer_shapes(onnx.load_from_string(raw)).graph
    found = {value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output)}
    found |= {tensor.data_type for tensor in graph.initializer}
    return found & {TensorProto.FLOAT, TensorProto.DOUBLE}


def test_the_plain_graph_stays_as_it_is() -> None:
    graph = Graph()
    x = Tensor.input(graph, "x", "float32", (None, 3))
    wide: Any = x.astype(np.float64) * 0.1
    raw = graph.to_bytes({"y": (wide.name, "float64", wide.sizes)})
    assert TensorProto.DOUBLE in types_of(raw)
