"""Bundles around any ONNX graph: what the tiny bundle cannot show."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from edge_runtime.bundle import seal
from edge_runtime.bundle.manifest import Golden, Input, Output
from tests.support.tiny_bundle import MODEL_FILE, npy, tiny_manifest

FLOAT, DOUBLE, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.INT64
Shape = Sequence[int | str | None]


def graph(
    nodes: Sequence[Any],
    inputs: Sequence[tuple[str, int, Shape]],
    outputs: Sequence[tuple[str, int, Shape]],
    constants: Sequence[Any] = (),
    **model: Any,
) -> bytes:
    """An ONNX file of opset 17, not checked: it may be wrong on purpose."""
    made = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in outputs],
        constants,
    )
    settings = {"opset_imports": [helper.make_opsetid("", 17)], "ir_version": 8} | model
    return bytes(helper.make_model(made, **settings).SerializeToString())


def write_bundle(
    path: Path,
    model: bytes,
    *,
    task: Literal["classification", "regression"],
    declared: Input,
    outputs: Sequence[Output],
    golden_input: npt.NDArray[Any],
    golden_outputs: Sequence[npt.NDArray[Any]],
    classes: tuple[str, ...] = (),
    tolerance: float = 1e-6,
) -> Path:
    """An unsigned bundle of one variant at `path`."""
    names = [f"golden/outputs/{at}.npy" for at in range(len(outputs))]
    manifest = msgspec.structs.replace(
        tiny_manifest("test", "1.0.0", 1, model_size=len(model), golden_count=len(golden_input)),
        task=task,
        classes=classes,
        inputs=(declared,),
        outputs=tuple(outputs),
        window=None,
        golden=Golden(
            count=len(golden_input),
            inputs=("golden/inputs/0.npy",),
            outputs=tuple(names),
            tolerance=tolerance,
        ),
    )
    artifacts = {MODEL_FILE: model, "golden/inputs/0.npy": npy(golden_input)}
    artifacts |= {name: npy(array) for name, array in zip(names, golden_outputs, strict=True)}
    path.write_bytes(seal(manifest, artifacts, []))
    return path


def doubling_regression(path: Path, *, columns: int = 2, allow_nan: bool = False) -> Path:
    """value = 2 · input, shape (n, columns); of one column, value has shape (n,)."""
    rows = np.arange(3 * columns, dtype=np.float32).reshape(3, columns)
    nodes = [helper.make_node("Add", ["rows", "rows"], ["doubled"])]
    if columns == 1:
        nodes += [
            helper.make_node("Constant", [], ["flat"], value_ints=[-1]),
            helper.make_node("Reshape", ["doubled", "flat"], ["value"]),
        ]
    else:
        nodes.append(helper.make_node("Identity", ["doubled"], ["value"]))
    shape: tuple[int | None, ...] = (None,) if columns == 1 else (None, columns)
    golden = 2 * rows
    return write_bundle(
        path,
        graph(nodes, [("rows", FLOAT, ["n", columns])], [("value", FLOAT, ["n", *shape[1:]])]),
        task="regression",
        declared=Input(name="rows", dtype="float32", shape=(None, columns), allow_nan=allow_nan),
        outputs=[Output(name="value", dtype="float32", shape=shape, meaning="value")],
        golden_input=rows,
        golden_outputs=[golden[:, 0] if columns == 1 else golden],
    )


def label_passing(path: Path, *, classes: tuple[str, ...] = ("a", "b", "c")) -> Path:
    """label = input, int64 of shape (n,): what the model says is up to the caller."""
    rows = np.arange(len(classes), dtype=np.int64)
    return write_bundle(
        path,
        graph(
            [helper.make_node("Identity", ["rows"], ["label"])],
            [("rows", INT64, ["n"])],
            [("label", INT64, ["n"])],
        ),
        task="classification",
        classes=classes,
        declared=Input(name="rows", dtype="int64", shape=(None,)),
        outputs=[Output(name="label", dtype="int64", shape=(None,), meaning="label")],
        golden_input=rows,
        golden_outputs=[rows],
    )
