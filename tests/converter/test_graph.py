import numpy as np
import onnx
import pytest

from converter.graph import IR_VERSION, Graph
from edge_runtime.errors import ConversionError
from tests.converter.onnx_run import run_onnx

ROWS = np.array([[1, 2], [3, 4]], dtype=np.float32)


def doubled() -> tuple[Graph, str]:
    graph = Graph()
    rows = graph.input("rows", "float32", (None, 2))
    return graph, graph.node("Add", rows, rows)


def finish(graph: Graph, value: str) -> bytes:
    return graph.to_bytes({"out": (value, "float32", (None, 2))})


def test_a_graph_runs_and_names_its_output() -> None:
    (out,) = run_onnx(finish(*doubled()), ROWS)
    assert np.array_equal(out, 2 * ROWS)


def test_the_same_calls_give_the_same_bytes() -> None:
    assert finish(*doubled()) == finish(*doubled())


def test_the_operator_sets_and_ir_version_are_those_of_the_oldest_board() -> None:
    model = onnx.load_model_from_string(finish(*doubled()))
    assert model.ir_version == IR_VERSION == 8
    assert {(item.domain, item.version) for item in model.opset_import} == {("", 17), ("ai.onnx.ml", 3)}


def test_an_output_costs_no_identity_node() -> None:
    model = onnx.load_model_from_string(finish(*doubled()))
    assert [node.op_type for node in model.graph.node] == ["Add"]


def test_an_input_may_be_an_output_and_a_value_two_of_them() -> None:
    graph, value = doubled()
    raw = graph.to_bytes(
        {name: (source, "float32", (None, 2)) for name, source in
         (("first", value), ("second", value), ("third", "rows"))}
    )  # fmt: skip
    first, second, third = run_onnx(raw, ROWS)
    assert np.array_equal(first, second)
    assert np.array_equal(third, ROWS)


def test_equal_constants_are_stored_once_and_scalars_stay_scalars() -> None:
    graph, value = doubled()
    two = [graph.constant(np.array(2, dtype=np.float32)) for _ in range(2)]
    other = graph.constant(np.array([2], dtype=np.float32))
    assert two[0] == two[1] != other
    model = onnx.load_model_from_string(finish(graph, graph.node("Mul", value, two[0])))
    assert [list(tensor.dims) for tensor in model.graph.initializer] == [[]]


def test_tables_are_found_by_name_and_shared_with_nothing() -> None:
    graph = Graph()
    total = graph.input("rows", "float32", [3])
    same = np.arange(3, dtype=np.float32)
    tables = graph.tables("trees", left=same, right=same) + graph.tables("trees", left=same)
    for name in (*tables, graph.constant(same)):
        total = graph.node("Add", total, name)
    kept = onnx.load_from_string(graph.to_bytes({"total": (total, "float32", [3])})).graph.initializer
    names = [each.name for each in kept]
    assert names == ["trees_1.left", "trees_1.right", "trees_2.left", "constant_0"]


def test_what_no_output_needs_is_left_out() -> None:
    graph, value = doubled()
    graph.node("Mul", value, graph.constant(np.array(3, dtype=np.float32)))
    model = onnx.load_model_from_string(finish(graph, value))
    assert len(model.graph.node) == 1
    assert not model.graph.initializer


def test_an_invalid_graph_is_one_clear_error() -> None:
    graph, value = doubled()
    with pytest.raises(ConversionError, match="not valid ONNX"):
        finish(graph, graph.node("NoSuchOperator", value))


def inner_model() -> onnx.ModelProto:
    """`If sum > 10 then rows else rows + one`: a subgraph that captures outer names."""
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    main (float[N,2] rows) => (float[N,2] out) <float one = {1}, float ten = {10}> {
      total = ReduceSum <keepdims=0> (rows)
      more = Greater (total, ten)
      out = If (more) <
        then_branch = yes () => (float[N,2] kept) { kept = Identity (rows) },
        else_branch = no () => (float[N,2] added) { added = Add (rows, one) }
      >
    }"""
    return onnx.parser.parse_model(text)


def test_an_inlined_model_keeps_its_subgraphs_and_clashes_with_nothing() -> None:
    graph, value = doubled()
    for _ in range(2):
        (value,) = graph.inline(inner_model(), value)
    (out,) = run_onnx(finish(graph, value), ROWS)  # 2 * 10 is above 10 already: both keep
    assert np.array_equal(out, 2 * ROWS)
    (out,) = run_onnx(finish(graph, value), ROWS / 10)
    assert np.allclose(out, ROWS / 5 + 2)


def test_a_value_that_a_subgraph_captures_keeps_its_name() -> None:
    graph, value = doubled()
    (out,) = graph.inline(inner_model(), value)
    raw = graph.to_bytes({"a": (value, "float32", (None, 2)), "b": (out, "float32", (None, 2))})
    a, b = run_onnx(raw, ROWS)
    assert np.array_equal(a, b)


def test_equal_texts_are_stored_once_and_others_apart() -> None:
    graph = Graph()
    names = [
        graph.constant(np.array(texts, dtype=object)) for texts in (["a", "b"], ["a", "b"], ["a", "c"])
    ]
    assert names[0] == names[1] != names[2]


def test_a_node_may_have_several_outputs() -> None:
    graph = Graph()
    rows = graph.input("rows", "float32", (None, 2))
    values, _ = graph.nodes_of("TopK", rows, graph.constant(np.array([2])), outputs=2, axis=1)
    (out,) = run_onnx(finish(graph, values), ROWS)
    assert np.array_equal(out, ROWS[:, ::-1])


def test_inner_values_leave_the_names_of_inputs_and_outputs_alone() -> None:
    graph = Graph()
    given = [graph.input(name, "float32", [None]) for name in ("add_1", "constant_0")]
    graph.reserve(["mul_2"])
    total = graph.node("Add", *given)
    product = graph.node("Mul", total, graph.constant(np.array(3, dtype=np.float32)))
    ends = {"mul_2": (total, "float32", (None,)), "end": (product, "float32", (None,))}
    model = onnx.load_from_string(graph.to_bytes(ends))
    assert [value.name for value in model.graph.input] == ["add_1", "constant_0"]
    names = [name for node in model.graph.node for name in node.output]
    assert len(set(names)) == len(names)
    assert {"mul_2", "end"} <= set(names)


@pytest.mark.parametrize("opset", [17, 18, 21])
def test_axes_of_a_reduction_are_written_as_the_operator_set_has_them(opset: int) -> None:
    graph = Graph({"": opset, "ai.onnx.ml": 3})
    rows = graph.input("rows", "float32", (None, 2))
    most = graph.node("ReduceMax", rows, axes=[1], keepdims=1)
    raw = graph.to_bytes({"out": (most, "float32", (None, 1))})
    (out,) = run_onnx(raw, ROWS)
    assert out.tolist() == [[2], [4]]
    model = onnx.load_model_from_string(raw)
    assert model.opset_import[0].version == opset
    assert model.ir_version == graph.ir_version == (10 if opset == 21 else 8)
