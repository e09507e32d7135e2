"""A model file holds operators of known domains and all its own data, or it is refused."""

import re
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from edge_runtime.engine import onnx_file
from edge_runtime.engine.onnx_file import check_onnx
from edge_runtime.errors import EngineError
from tests.support.graphs import FLOAT, graph
from tests.support.tiny_bundle import TinyModel

X, Y = [("x", FLOAT, [2])], [("y", FLOAT, [2])]
RELU = helper.make_node("Relu", ["x"], ["y"])
TINY = TinyModel().graph()


def _external() -> onnx.TensorProto:
    tensor = onnx.TensorProto(name="w", data_type=FLOAT, dims=[2])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    return tensor


def _branching(body: onnx.GraphProto) -> onnx.NodeProto:
    return helper.make_node("If", ["condition"], ["y"], then_branch=body, else_branch=body)


def _body(*nodes: onnx.NodeProto, constants: Any = ()) -> onnx.GraphProto:
    outputs = [helper.make_tensor_value_info("y", FLOAT, [2])]
    return helper.make_graph(list(nodes), "body", [], outputs, list(constants))


def _function(domain: str, *nodes: onnx.NodeProto) -> onnx.FunctionProto:
    return helper.make_function(domain, "F", ["a"], ["b"], list(nodes), [helper.make_opsetid("", 17)])


EVIL = helper.make_node("Relu", ["x"], ["y"], domain="evil")
CONSTANT = onnx.NodeProto(op_type="Constant", output=["y"])
CONSTANT.attribute.append(onnx.AttributeProto(name="value", type=4, t=_external()))
SPARSE = onnx.SparseTensorProto(values=_external(), dims=[2])
SPARSE_GRAPH = onnx.load_from_string(graph([RELU], X, Y))
SPARSE_GRAPH.graph.sparse_initializer.append(SPARSE)
TRAINING = onnx.load_from_string(graph([RELU], X, Y))
TRAINING.training_info.add().algorithm.CopyFrom(_body(RELU))


@pytest.mark.parametrize(
    "raw",
    [
        graph([EVIL], X, Y),
        graph([_branching(_body(EVIL))], X, Y),
        graph([_branching(_body(_branching(_body(EVIL))))], X, Y),
        graph([helper.make_node("Relu", ["x"], ["y"], domain="com.microsoft.nchwc")], X, Y),
        graph([RELU], X, Y, opset_imports=[helper.make_opsetid("evil", 1)]),
        graph([RELU], X, Y, functions=[_function("", EVIL)]),
        graph([RELU], X, Y, functions=[_function("evil", RELU)]),
        graph([helper.make_node("Relu", ["x"], ["y"], domain="a" * 5000)], X, Y),
    ],
)
def test_an_operator_of_another_domain_is_refused_wherever_it_is(raw: bytes) -> None:
    with pytest.raises(EngineError, match="found the domain"):
        check_onnx(raw, "motion")


@pytest.mark.parametrize(
    "raw",
    [
        graph([RELU], X, Y, [_external()]),
        graph([CONSTANT], X, Y),
        graph([_branching(_body(RELU, constants=[_external()]))], X, Y),
        SPARSE_GRAPH.SerializeToString(),
        graph([RELU], X, Y, functions=[_function("", CONSTANT)]),
    ],
)
def test_data_outside_the_file_is_refused_wherever_it_is(raw: bytes) -> None:
    with pytest.raises(EngineError, match="self-contained model, found data kept outside"):
        check_onnx(raw, "motion")


def test_a_training_graph_is_refused() -> None:
    with pytest.raises(EngineError, match="training graph"):
        check_onnx(TRAINING.SerializeToString(), "motion")


def test_models_of_the_known_domains_pass() -> None:
    for domain in ("", "ai.onnx.ml", "com.microsoft"):
        check_onnx(graph([helper.make_node("Relu", ["x"], ["y"], domain=domain)], X, Y), "motion")
    check_onnx(TINY, "motion")


def test_texts_in_a_model_pass_whatever_they_say() -> None:
    texts = ["evil", "\uffff", "", "=abcd" * 50, "@\x7f" * 50, ":\x04evil"]
    encoder = helper.make_node(
        "LabelEncoder", ["x"], ["y"], domain="ai.onnx.ml", keys_strings=texts, values_int64s=range(6)
    )
    constant = helper.make_tensor("texts", onnx.TensorProto.STRING, [6], [t.encode() for t in texts])

    check_onnx(graph([encoder], X, Y, [constant]), "motion")


def test_data_brought_inside_the_file_again_passes() -> None:
    tensor = numpy_helper.from_array(np.ones(2, np.float32), "w")
    tensor.data_location = onnx.TensorProto.DEFAULT

    check_onnx(graph([RELU], X, Y, [tensor]), "motion")


def test_the_long_lists_of_a_forest_hide_nothing_behind_them() -> None:
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        numbers=[*range(-3, 20_000)],
        thresholds=[1.5] * 20_000,
        modes=["BRANCH_LEQ", "LEAF", "BRANCH_GTE", "BRANCH_EQ", "BRANCH_MEMBER", ""] * 2_000,
    )
    check_onnx(graph([node], X, Y), "motion")
    node.attribute[0].t.CopyFrom(_external())

    with pytest.raises(EngineError, match="data kept outside"):
        check_onnx(graph([node], X, Y), "motion")


_TEXTS = [b"\x4a" + bytes([size]) + b"a" * size for size in (0, 4, 9, 10, 11, 12)]
_LISTS = [b"\x3d1234", b"\x40\x85\x01", *_TEXTS]


@given(st.lists(st.sampled_from(_LISTS), max_size=6), st.binary(max_size=6))
def test_lists_skipped_in_one_step_are_read_as_one_by_one(lists: list[bytes], then: bytes) -> None:
    node = b"\x2a" + _prefixed(b"".join(lists) + then)
    model = b"\x3a" + _prefixed(b"\x0a" + _prefixed(node))
    at_once = _refusal(model)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_file, "_LISTED", re.compile(rb"(?!)"))
        assert _refusal(model) == at_once


def test_graphs_nested_too_deep_are_refused() -> None:
    raw = b""
    for _ in range(30):  # a graph with a node with an attribute that is a graph
        for field in (6, 5, 1):
            raw = bytes([field << 3 | 2]) + _varint(len(raw)) + raw

    with pytest.raises(EngineError, match="64 levels"):
        check_onnx(b"\x3a" + _varint(len(raw)) + raw, "motion")


def _named(name: str) -> list[bytes]:
    """Models with `name` wherever a name can stand that ONNX Runtime tells Python of."""
    tensor = helper.make_tensor(name, FLOAT, [1], [0.0])
    node = helper.make_node("Relu", [name], [name], name=name)
    node.attribute.append(helper.make_attribute(name, 1))
    operator = helper.make_node(name, ["x"], ["y"])
    return [
        graph([node], X, Y),
        graph([operator], X, Y),
        graph([_branching(_body(node))], X, Y),
        graph([RELU], [(name, FLOAT, [2])], Y),
        graph([RELU], X, [("y", FLOAT, [name])]),
        graph([RELU], X, Y, [tensor]),
        graph([RELU], X, Y, functions=[_function("", node)]),
    ]


def test_a_name_that_is_no_text_is_refused_wherever_it_is() -> None:
    """Python would find out from ONNX Runtime, when it hears the name, and raise what nobody expects."""
    for raw in _named("longname"):
        check_onnx(raw, "motion")
        assert b"longname" in raw
        with pytest.raises(
            EngineError, match="motion: expected names in UTF-8, found one in other bytes"
        ):
            check_onnx(raw.replace(b"longname", b"long\xffame"), "motion")


def test_a_shape_of_more_axes_than_arrays_have_is_refused() -> None:
    check_onnx(graph([RELU], [("x", FLOAT, [1] * 32)], Y), "motion")

    with pytest.raises(EngineError, match="at most 32 Axis in a Shape, found more"):
        check_onnx(graph([RELU], [("x", FLOAT, [1] * 33)], Y), "motion")


def test_a_shape_in_parts_that_a_reader_would_join_is_refused() -> None:
    shape = b"\x0a\x02\x08\x02"  # of one axis: 2
    kind = b"\x0a\x08\x08\x01\x12" + _prefixed(shape)
    for value, what in (
        (b"\x12" + _prefixed(kind) + b"\x12" + _prefixed(kind), "1 Type in a Value"),
        (b"\x12" + _prefixed(kind + kind), "1 TensorType in a Type"),
        (
            b"\x12" + _prefixed(b"\x0a" + _prefixed((b"\x12" + _prefixed(shape)) * 2)),
            "1 Shape in a TensorType",
        ),
    ):
        model = b"\x3a" + _prefixed(b"\x5a" + _prefixed(value))
        assert len(onnx.load_from_string(model).graph.input[0].type.tensor_type.shape.dim) == 2
        with pytest.raises(EngineError, match=f"at most {what}, found more"):
            check_onnx(model, "motion")


def _prefixed(raw: bytes) -> bytes:
    return _varint(len(raw)) + raw


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)


@pytest.mark.parametrize(
    "raw",
    [
        b"this is no model",
        TINY[:-1],
        b"\x3a\x80",  # a length without its end
        b"\x3a\xff\xff\xff\xff\x0f",  # a length of 4 GiB
        b"\x3b\x3c",  # a group
        b"\x38\x01",  # the graph as a number
        b"\xba\x80\x80\x80\x10\x00",  # field 7 to who cuts tags to 32 bits
        b"\xff" * 11,
    ],
)
def test_what_is_no_plain_protobuf_is_refused(raw: bytes) -> None:
    with pytest.raises(EngineError, match=r"motion: expected (an|a whole) ONNX file"):
        check_onnx(raw, "motion")


def _refusal(raw: bytes) -> str:
    try:
        check_onnx(raw, "motion")
    except EngineError as error:
        return str(error)
    return ""


@given(st.binary(max_size=300))
def test_any_bytes_pass_or_are_refused_in_a_sentence(raw: bytes) -> None:
    assert len(_refusal(raw)) < 500


@given(st.integers(0, len(TINY) - 1), st.integers(0, 255))
@example(2, 2)  # a whole graph where the name of a domain is expected
def test_any_damage_passes_or_is_refused_in_a_sentence(at: int, value: int) -> None:
    assert len(_refusal(TINY[:at] + bytes([value]) + TINY[at + 1 :])) < 500
