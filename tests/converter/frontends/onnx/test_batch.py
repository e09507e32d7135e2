"""The first axis of an ONNX model's input is the batch, whatever the file calls or fixes it."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from edge_runtime.errors import InputError, UnsupportedModelError
from tests.converter.frontends.onnx.models import (
    FLOAT,
    RANDOM,
    constant,
    converted,
    dense,
    graph_of,
    model,
)

IMAGES = RANDOM.normal(size=(10, 3, 4, 4)).astype(np.float32)


def sizes_of(value: Any) -> list[int | str]:
    return [each.dim_param or each.dim_value for each in value.type.tensor_type.shape.dim]


def checked(bundle: Any) -> Any:
    """A bundle whose graph has its batch free and by its name."""
    graph = graph_of(bundle).graph
    assert all(sizes_of(value)[0] == "batch" for value in (*graph.input, *graph.output))
    return bundle


@pytest.mark.parametrize("batch", ["N", "unk__6", None, 1, 4, 64])
def test_it_is_free_and_called_batch(batch: Any) -> None:
    net = dense("Tanh", given=("x", FLOAT, [batch, 6]), made=("y", FLOAT, [batch, 3]))
    assert checked(converted(net)).manifest.inputs[0].shape == (None, 6)


def pooled(shape: list[int], batch: int = 1) -> Any:
    """A convolution whose images are flattened by a Reshape that has seen one example."""
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["seen"]),
        helper.make_node("Reshape", ["seen", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["y"]),
    ]
    constants = [
        constant("kernel", RANDOM.normal(size=(2, 3, 3, 3)), np.float32),
        constant("w", RANDOM.normal(size=(8, 3)), np.float32),
        constant("shape", shape, np.int64),
    ]
    given, made = ("x", FLOAT, [batch, 3, 4, 4]), ("y", FLOAT, [batch, 3])
    return model(nodes, given=given, made=made, constants=constants)


@pytest.mark.parametrize(("shape", "batch"), [([1, -1], 1), ([1, 8], 1), ([5, -1], 5), ([-1, 8], 1)])
def test_shapes_that_an_exporter_wrote_for_one_example_follow_the_batch(
    shape: list[int], batch: int
) -> None:
    parity = checked(converted(pooled(shape, batch), IMAGES)).manifest.variants[0].parity
    assert parity.inputs == 10
    assert parity.max_abs_error < 1e-5


def test_a_batch_that_is_built_in_is_told() -> None:
    nodes = [helper.make_node("Concat", ["x", "state"], ["y"], axis=1)]
    state = constant("state", np.zeros((1, 2), np.float32))
    net = model(nodes, given=("x", FLOAT, [1, 6]), made=("y", FLOAT, [1, 8]), constants=[state])
    with pytest.raises(
        UnsupportedModelError, match=r"expected a batch of any size, found one of 1 built in"
    ):
        converted(net)


def test_other_sizes_that_are_open_are_those_of_the_inputs() -> None:
    nodes = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[1], keepdims=0)]
    net = model(nodes, given=("x", FLOAT, ["n", "length", 3]), made=("y", FLOAT, ["n", 3]))
    windows = RANDOM.normal(size=(20, 7, 3)).astype(np.float32)
    manifest = converted(net, windows).manifest
    assert manifest.inputs[0].shape == (None, 7, 3)
    assert manifest.provenance.source == "ONNX of opset 17 by tests, length 7 by the inputs"


@pytest.mark.parametrize("shape", [(5,), (6, 1), (2, 3)])
def test_inputs_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        InputError, match=r"expected shape \(inputs, 6\), which 'x' of model takes; found \("
    ):
        converted(dense(), np.zeros((10, *shape), np.float32))


def test_an_input_without_a_batch_is_refused() -> None:
    net = model([helper.make_node("Neg", ["x"], ["y"])], given=("x", FLOAT, []), made=("y", FLOAT, []))
    with pytest.raises(UnsupportedModelError, match="a row for each input, found one number"):
        converted(net)


@pytest.mark.parametrize("name", ["light_shufflenet", "light_squeezenet"])
def test_networks_of_another_exporter_for_one_image_at_a_time(name: str) -> None:
    """Of Caffe2, in onnx's own test data: IR version 3, opset 9, constants among the inputs."""
    (path,) = (Path(onnx.__file__).parent / "backend" / "test" / "data" / "light").glob(f"{name}.onnx")
    images = RANDOM.uniform(size=(3, 3, 224, 224)).astype(np.float32)
    bundle = checked(converted(path, images, golden_count=1))
    assert bundle.manifest.inputs[0].shape == (None, 3, 224, 224)
    assert bundle.manifest.variants[0].parity.max_abs_error < 1e-5


def test_an_answer_that_depends_on_the_other_rows_is_refused() -> None:
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["most"], axes=[0], keepdims=1),
        helper.make_node("Div", ["x", "most"], ["y"]),
    ]
    with pytest.raises(UnsupportedModelError, match="one that depends on the other rows"):
        converted(model(nodes, made=("y", FLOAT, ["n", 6])))


def test_an_answer_without_a_row_for_each_input_is_refused() -> None:
    nodes = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[0], keepdims=0)]
    with pytest.raises(UnsupportedModelError, match=r"output 'y' a row for each of 40 inputs"):
        converted(model(nodes, made=("y", FLOAT, [6])))


def test_an_answer_that_is_another_each_time_is_refused() -> None:
    nodes = [
        helper.make_node("RandomUniformLike", ["x"], ["noise"]),
        helper.make_node("Add", ["x", "noise"], ["y"]),
    ]
    with pytest.raises(UnsupportedModelError, match="found another each time: it draws random numbers"):
        converted(model(nodes, made=("y", FLOAT, ["n", 6])))
