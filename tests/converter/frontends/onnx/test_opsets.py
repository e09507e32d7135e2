"""Files in other versions of ONNX's operators than bundles are written in."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from sklearn.preprocessing import Normalizer, StandardScaler

import edge_runtime
from converter.frontends.onnx.opsets import settled
from edge_runtime.errors import UnsupportedModelError
from tests.converter.frontends.onnx.models import (
    FLOAT,
    ROWS,
    WEIGHTS,
    constant,
    converted,
    dense,
    graph_of,
    model,
    said,
)

CONVERTERS = {"ai.onnx": 17, "ai.onnx.ml": 3}


def opsets_of(bundle: Any) -> dict[str, int]:
    """What the manifest says, which is what the file says."""
    (variant,) = bundle.manifest.variants
    graph = graph_of(bundle)
    assert variant.opsets == {each.domain or "ai.onnx": each.version for each in graph.opset_import}
    assert variant.ir_version == graph.ir_version
    return dict(variant.opsets)


def reduced(opset: int) -> Any:
    """The mean of each row, whose axes were an attribute once; then squeezed, and a softmax."""
    axes = {"axes": [1]} if opset < 18 else {}
    inputs = ["x"] if opset < 18 else ["x", "axis"]
    squeeze = (["mean"], {"axes": [1]}) if opset < 13 else (["mean", "axis"], {})
    nodes = [
        helper.make_node("ReduceMean", inputs, ["mean"], keepdims=1, **axes),
        helper.make_node("Sub", ["x", "mean"], ["centred"]),
        helper.make_node("MatMul", ["centred", "w"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["soft"]),
        helper.make_node("Squeeze", squeeze[0], ["flat"], **squeeze[1]),
        helper.make_node("Unsqueeze", ["flat", "axis"] if opset >= 13 else ["flat"], ["again"],
                         **({} if opset >= 13 else {"axes": [1]})),
        helper.make_node("Mul", ["soft", "again"], ["y"]),
    ]  # fmt: skip
    constants = [constant("w", WEIGHTS), constant("axis", [1], np.int64)]
    return model(nodes, constants=constants, opset=opset, ir_version=8)


@pytest.mark.parametrize("opset", range(7, 25))
def test_a_file_of_any_opset_is_rewritten_to_the_converters(opset: int, tmp_path: Path) -> None:
    bundle = converted(reduced(opset))
    assert opsets_of(bundle) == CONVERTERS
    with edge_runtime.load(bundle.save(tmp_path / "net.edge"), allow_unsigned=True) as device:
        np.testing.assert_allclose(device.predict(ROWS), said(reduced(opset), ROWS)[0], atol=1e-6)


def test_the_default_axis_of_an_old_softmax_is_kept() -> None:
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["cube"]),
        helper.make_node("Softmax", ["cube"], ["soft"]),  # over both axes, until opset 13
        helper.make_node("Flatten", ["soft"], ["y"]),
    ]
    net = model(nodes, made=("y", FLOAT, ["n", 6]), constants=[constant("shape", [-1, 3, 2])], opset=11)
    np.testing.assert_allclose(said(net, ROWS)[0].sum(axis=1), 1, atol=1e-5)
    assert converted(net).manifest.variants[0].parity.max_abs_error < 1e-6


@pytest.mark.parametrize("opset", [20, 21])
def test_an_operator_without_an_older_form_keeps_the_files_opset(opset: int) -> None:
    bundle = converted(dense("Gelu", opset=opset, ir_version=9))
    assert opsets_of(bundle) == {"ai.onnx": opset, "ai.onnx.ml": 3}


def test_a_newer_opset_than_devices_have_is_lowered_as_far_as_they_have_it() -> None:
    assert opsets_of(converted(dense("Gelu", opset=22, ir_version=10))) == {
        "ai.onnx": 21,
        "ai.onnx.ml": 3,
    }


@pytest.mark.parametrize("scaler", [StandardScaler(), Normalizer()])
def test_preprocessing_goes_before_a_file_that_keeps_its_opset(scaler: Any) -> None:
    net = dense("Gelu", opset=20, ir_version=9)
    assert opsets_of(converted(net, preprocessing=scaler.fit(ROWS)))["ai.onnx"] == 20


def test_an_operator_that_no_device_has_is_named() -> None:
    net = dense("Swish", opset=24, ir_version=10)
    with pytest.raises(
        UnsupportedModelError, match="found opset 24, which has Swish, which cannot be rewritten"
    ):
        converted(net)


def test_what_answers_otherwise_after_rewriting_is_not_taken() -> None:
    asked = []

    def agrees(made: Any) -> bool:
        version = made.opset_import[0].version
        asked.append(version)
        return bool(version == 13)

    assert settled(dense(opset=13), agrees, "model").opsets[""] == 13
    assert asked == [17, 13]
    with pytest.raises(UnsupportedModelError, match="opset 13, which answers otherwise"):
        settled(dense(opset=13), lambda _: False, "model")
