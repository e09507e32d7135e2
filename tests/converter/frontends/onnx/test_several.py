"""Files of several inputs, by name or as the columns of a table, and of several outputs."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import edge_runtime
from edge_runtime.cli import run
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
)

CODES = RANDOM.integers(0, 20, (40, 5))
TABLE = RANDOM.normal(size=(20, 3)).astype(np.float32)


def of_two_inputs() -> Any:
    """Readings times WEIGHTS, and the mean of what codes stand for."""
    nodes = [
        helper.make_node("MatMul", ["readings", "w"], ["seen"]),
        helper.make_node("Gather", ["table", "codes"], ["found"]),
        helper.make_node("ReduceMean", ["found"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Add", ["seen", "mean"], ["y"]),
    ]
    net = model(nodes, given=("readings", FLOAT, ["n", 6]))
    net.graph.input.append(helper.make_tensor_value_info("codes", INT64, ["n", 5]))
    net.graph.initializer.extend([constant("w", WEIGHTS), constant("table", TABLE)])
    return net


def test_several_inputs_are_given_by_name(tmp_path: Path) -> None:
    given = {"codes": CODES, "readings": ROWS}
    bundle = converted(of_two_inputs(), given)
    assert [(each.name, each.dtype, each.shape) for each in bundle.manifest.inputs] == [
        ("readings", "float32", (None, 6)),
        ("codes", "int64", (None, 5)),
    ]
    with edge_runtime.load(bundle.save(tmp_path / "net.edge"), allow_unsigned=True) as device:
        expected = ROWS @ WEIGHTS + TABLE[CODES].mean(axis=1)
        np.testing.assert_allclose(device.predict(given), expected, atol=1e-5)
        with pytest.raises(InputError, match="a number outside -20 to 19"):
            device.predict({"codes": CODES + 20, "readings": ROWS})


def test_preprocessing_goes_before_one_input_only() -> None:
    scaler = StandardScaler().fit(ROWS)
    with pytest.raises(UnsupportedModelError, match="one input behind the preprocessing, found 2"):
        converted(of_two_inputs(), ROWS, preprocessing=scaler)


def test_an_input_that_is_missing_is_named() -> None:
    with pytest.raises(InputError, match="'codes' is missing"):
        converted(of_two_inputs(), {"readings": ROWS})


FRAME = pd.DataFrame({"size": ROWS[:, 0], "site": ["north", "south", "west", "east"] * 10})


def of_columns() -> tuple[Any, Any]:
    """A file of skl2onnx with an input a column, one of them of texts."""
    truth = np.where(ROWS[:, 0] > 0, "large", "small")
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["size"]),
            ("texts", OneHotEncoder(sparse_output=False), ["site"]),
        ]
    )
    fitted = make_pipeline(columns, LogisticRegression()).fit(FRAME, truth)
    kinds = [("size", FloatTensorType([None, 1])), ("site", StringTensorType([None, 1]))]
    versions = {"": 17, "ai.onnx.ml": 3}
    return to_onnx(fitted, initial_types=kinds, target_opset=versions), fitted.predict(FRAME)


def test_an_input_a_column_is_a_table(tmp_path: Path) -> None:
    net, said = of_columns()
    bundle = converted(net, FRAME)
    assert bundle.manifest.is_table
    assert [(each.name, each.dtype) for each in bundle.manifest.inputs] == [
        ("size", "float32"),
        ("site", "string"),
    ]
    with edge_runtime.load(bundle.save(tmp_path / "net.edge"), allow_unsigned=True) as device:
        assert device.predict(FRAME).tolist() == said.tolist()
        with pytest.raises(InputError, match="row 1: a category that training never saw"):
            device.predict(FRAME.replace("south", "moon"))


def test_a_table_comes_from_a_file_with_titles(tmp_path: Path) -> None:
    onnx.save_model(of_columns()[0], tmp_path / "net.onnx")
    FRAME.to_csv(tmp_path / "rows.csv", index=False)
    arguments = ["--inputs", str(tmp_path / "rows.csv"), "--name", "net", "--version", "1.0.0"]
    output = ["--unsigned", "--output", str(tmp_path / "net.edge")]
    assert run(["convert", str(tmp_path / "net.onnx"), *arguments, *output]) == 0


def test_columns_of_texts_need_a_table() -> None:
    with pytest.raises(InputError, match="a DataFrame of the columns 'size', 'site', found dict"):
        converted(of_columns()[0], {name: FRAME[name].to_numpy() for name in FRAME})


def test_several_arrays_come_from_one_file(tmp_path: Path) -> None:
    onnx.save_model(of_two_inputs(), tmp_path / "net.onnx")
    np.savez(tmp_path / "rows.npz", codes=CODES, readings=ROWS)
    arguments = ["--inputs", str(tmp_path / "rows.npz"), "--name", "net", "--version", "1.0.0"]
    output = ["--unsigned", "--output", str(tmp_path / "net.edge")]
    assert run(["convert", str(tmp_path / "net.onnx"), *arguments, *output]) == 0


def of_two_outputs(*lasts: str) -> Any:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["logits"])]
    nodes += [helper.make_node(last, ["logits"], [f"out_{at}"]) for at, last in enumerate(lasts)]
    made = [(f"out_{at}", FLOAT, ["n", 3]) for at in range(len(lasts))]
    return model(nodes, made=made, constants=[constant("w", WEIGHTS)])


def test_several_outputs_are_values_by_name() -> None:
    manifest = converted(of_two_outputs("Tanh", "Sigmoid")).manifest
    assert [(each.name, each.meaning) for each in manifest.outputs] == [
        ("out_0", "value"),
        ("out_1", "value"),
    ]


def test_several_softmaxes_are_a_label_each() -> None:
    manifest = converted(of_two_outputs("Softmax", "Softmax")).manifest
    assert [label.name for label in manifest.labels] == ["out_0", "out_1"]


def test_a_sigmoid_of_several_numbers_gives_as_many_labels() -> None:
    truth = (ROWS @ WEIGHTS > 0).astype(int)
    manifest = converted(dense("Sigmoid"), ROWS, truth, classes=["hot", "loud", "wet"]).manifest
    assert [label.name for label in manifest.labels] == ["hot", "loud", "wet"]
    assert manifest.evaluation is not None
    assert manifest.evaluation.accuracy == 1.0


def test_windows_of_values_are_values() -> None:
    net = model(
        [helper.make_node("Tanh", ["x"], ["y"])],
        given=("x", FLOAT, ["n", 4, 3]),
        made=("y", FLOAT, ["n", 4, 3]),
    )
    windows = RANDOM.normal(size=(12, 4, 3)).astype(np.float32)
    assert converted(net, windows).manifest.outputs[0].shape == (None, 4, 3)
