"""A plain ONNX network: what its output means, what goes before it, and what a device then says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import edge_runtime
from converter.blocks import WindowFeatures
from edge_runtime.errors import InputError, UnsupportedModelError
from tests.converter.frontends.onnx.models import (
    FLOAT,
    INT64,
    RANDOM,
    ROWS,
    WEIGHTS,
    constant,
    converted,
    dense,
    model,
    said,
)


def predicted(bundle: Any, folder: Path, inputs: Any) -> Any:
    """What a device says, from the file."""
    with edge_runtime.load(bundle.save(folder / "net.edge"), allow_unsigned=True) as device:
        return device.infer(inputs)


def test_a_softmax_is_a_classification_with_labels_and_probabilities(tmp_path: Path) -> None:
    (expected,) = said(dense(), ROWS)
    bundle = converted(dense(), ROWS, expected.argmax(axis=1))
    manifest = bundle.manifest
    assert (manifest.task, manifest.classes) == ("classification", ("0", "1", "2"))
    assert [output.name for output in manifest.outputs] == ["label", "probabilities"]
    assert manifest.evaluation is not None
    assert manifest.evaluation.accuracy == 1.0
    assert manifest.provenance.source == "ONNX of opset 17 by tests"
    found = predicted(bundle, tmp_path, ROWS)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-6)
    assert found.labels.tolist() == [str(one) for one in expected.argmax(axis=1)]


def test_classes_are_named_and_labels_are_names_or_places() -> None:
    places, names = said(dense(), ROWS)[0].argmax(axis=1), ["still", "walk", "run"]
    for labels in (places, np.array(names)[places]):
        manifest = converted(dense(), ROWS, labels, classes=names).manifest
        assert manifest.classes == ("still", "walk", "run")
        assert manifest.evaluation is not None
        assert manifest.evaluation.accuracy == 1.0


def test_a_sigmoid_of_one_number_tells_two_classes_apart(tmp_path: Path) -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Sigmoid", ["z"], ["y"])]
    net = model(nodes, made=("y", FLOAT, ["n", 1]), constants=[constant("w", WEIGHTS[:, :1])])
    bundle = converted(net)
    assert bundle.manifest.classes == ("0", "1")
    found = predicted(bundle, tmp_path, ROWS)
    np.testing.assert_allclose(found.probabilities[:, 1:], said(net, ROWS)[0], atol=1e-6)


def test_logits_with_named_classes_give_a_label_alone() -> None:
    manifest = converted(dense("Identity"), classes=["a", "b", "c"]).manifest
    assert [output.name for output in manifest.outputs] == ["label"]


def test_a_softmax_along_another_axis_makes_no_probabilities() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node("Softmax", ["z"], ["y"], axis=0),
    ]
    with pytest.raises(UnsupportedModelError, match="depends on the other rows"):
        converted(model(nodes, constants=[constant("w", WEIGHTS)]))


@pytest.mark.parametrize(("sizes", "shape"), [(1, (None,)), (3, (None, 3))])
def test_anything_else_is_a_regression(sizes: int, shape: tuple[int | None, ...]) -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Tanh", ["z"], ["y"])]
    net = model(nodes, made=("y", FLOAT, ["n", sizes]), constants=[constant("w", WEIGHTS[:, :sizes])])
    truth = said(net, ROWS)[0]
    manifest = converted(net, ROWS, truth).manifest
    assert manifest.task == "regression"
    assert manifest.outputs[0].shape == shape
    assert manifest.evaluation is not None
    assert manifest.evaluation.r2 == pytest.approx(1.0)


@pytest.mark.parametrize("sizes", [["n"], ["n", 6]])
def test_whole_numbers_are_values_too(sizes: list[Any]) -> None:
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["most"], axes=[1], keepdims=0),
        helper.make_node("Cast", ["most" if len(sizes) == 1 else "x"], ["y"], to=INT64),
    ]
    manifest = converted(model(nodes, made=("y", INT64, sizes)), ROWS * 10).manifest
    assert (manifest.task, manifest.outputs[0].dtype) == ("regression", "float32")
    assert manifest.variants[0].parity.max_abs_error == 0


def test_a_label_without_scores_needs_its_classes() -> None:
    net = model([helper.make_node("ArgMax", ["x"], ["y"], axis=1)], made=("y", INT64, ["n", 1]))
    manifest = converted(net, classes=[f"class {at}" for at in range(6)]).manifest
    assert manifest.task == "classification"
    assert [output.name for output in manifest.outputs] == ["label"]


def test_preprocessing_goes_before_the_network() -> None:
    manifest = converted(dense(), preprocessing=StandardScaler().fit(ROWS * 3 + 1)).manifest
    assert [step.name for step in manifest.preprocessing] == ["StandardScaler"]
    assert manifest.provenance.source == "StandardScaler, ONNX of opset 17 by tests"


def test_a_block_of_windows_goes_before_a_network_of_its_features() -> None:
    windows = RANDOM.normal(size=(30, 10, 4)).astype(np.float32)
    block = WindowFeatures().fit(windows)
    width = block.transform(windows).shape[1]
    weights = RANDOM.normal(size=(width, 2)) / width
    net = model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        given=("x", FLOAT, ["n", width]),
        made=("y", FLOAT, ["n", 2]),
        constants=[constant("w", weights, np.float32)],
    )
    manifest = converted(net, windows, preprocessing=block).manifest
    assert manifest.window is not None
    assert manifest.inputs[0].shape == (None, 10, 4)


def test_what_preprocessing_refuses_is_refused() -> None:
    codes = np.arange(40).reshape(-1, 1) % 6.0
    encoder = OneHotEncoder(sparse_output=False).fit(codes)
    assert converted(dense(), codes, preprocessing=encoder).manifest.refusals


@pytest.mark.parametrize("dtype", ["float64", "int32", "uint8"])
def test_inputs_of_another_dtype_are_cast_inside_the_graph(dtype: str) -> None:
    rows = np.abs(ROWS * 20).astype(dtype)
    assert converted(dense("Tanh"), rows, input_dtype=dtype).manifest.inputs[0].dtype == dtype


def embedding(size: int) -> Any:
    nodes = [
        helper.make_node("Cast", ["x"], ["places"], to=INT64),
        helper.make_node("Gather", ["table", "places"], ["found"]),
        helper.make_node("ReduceMean", ["found"], ["y"], axes=[1], keepdims=0),
    ]
    table = RANDOM.normal(size=(size, 3)).astype(np.float32)
    return model(nodes, given=("x", INT64, ["n", 5]), constants=[constant("table", table)])


def test_a_number_that_an_embedding_does_not_have_is_refused(tmp_path: Path) -> None:
    codes = RANDOM.integers(0, 20, (30, 5))
    bundle = converted(embedding(20), codes)
    assert bundle.manifest.inputs[0].dtype == "int64"
    assert bundle.manifest.refusals == (
        "a number outside -20 to 19, which the model looks up in a table",
    )
    with pytest.raises(InputError, match="row 0: a number outside -20 to 19"):
        predicted(bundle, tmp_path, codes + np.array([0, 0, 0, 0, 20]))


def test_numbers_picked_out_of_a_row_are_looked_up_too(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Slice", ["x", "zero", "one", "one"], ["first"]),
        helper.make_node("Cast", ["first"], ["places"], to=INT64),
        helper.make_node("Gather", ["table", "places"], ["found"]),
        helper.make_node("ReduceSum", ["found", "one"], ["known"], keepdims=0),
        helper.make_node("MatMul", ["x", "w"], ["seen"]),
        helper.make_node("Add", ["known", "seen"], ["y"]),
    ]
    constants = [
        constant("zero", [0]), constant("one", [1]), constant("w", WEIGHTS),
        constant("table", RANDOM.normal(size=(4, 3)), np.float32),
    ]  # fmt: skip
    rows = np.concatenate([RANDOM.integers(0, 4, (40, 1)), ROWS[:, 1:]], axis=1).astype(np.float32)
    bundle = converted(model(nodes, constants=constants), rows)
    assert bundle.manifest.refusals == ("a number outside -4 to 3, which the model looks up in a table",)
    with pytest.raises(InputError, match="row 0: a number outside -4 to 3"):
        predicted(bundle, tmp_path, rows + 4)


def test_training_inputs_are_sketched() -> None:
    assert converted(dense(), reference=ROWS).manifest.reference is not None


def test_the_variant_for_tensorrt_is_in_standard_operators() -> None:
    bundle = converted(dense(), boards=["orin-nano"])
    assert [variant.engine for variant in bundle.manifest.variants] == ["onnxruntime", "tensorrt"]
