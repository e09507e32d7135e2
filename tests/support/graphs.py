"""Bundles around any ONNX graph: what the tiny bundle cannot show."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import onnx
from cryptography.hazmat.primitives.asymmetric import ec
from onnx import helper

from edge_runtime.bundle import seal
from edge_runtime.bundle.manifest import (
    MISSING_TEXT,
    Golden,
    Input,
    Label,
    Output,
    Task,
    Window,
    default_release,
)
from tests.support.tiny_bundle import MODEL_FILE, npy, tiny_manifest

FLOAT, DOUBLE, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.INT64
BOOL, STRING = onnx.TensorProto.BOOL, onnx.TensorProto.STRING
KINDS = {"float32": FLOAT, "float64": DOUBLE, "int64": INT64, "bool": BOOL, "string": STRING}
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
    task: Task,
    declared: Input | Sequence[Input],
    outputs: Sequence[Output],
    golden_input: npt.NDArray[Any] | Sequence[npt.NDArray[Any]],
    golden_outputs: Sequence[npt.NDArray[Any]],
    classes: tuple[str, ...] = (),
    labels: tuple[Label, ...] = (),
    refusals: tuple[str, ...] = (),
    window: Window | None = None,
    tolerance: float = 1e-6,
    name: str = "test",
    version: str = "1.0.0",
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Path:
    """A bundle of one variant at `path`; of a table, an array of goldens for each column."""
    inputs = (declared,) if isinstance(declared, Input) else tuple(declared)
    given = (golden_input,) if isinstance(declared, Input) else tuple(golden_input)
    count = len(given[0])
    goldens = {f"golden/inputs/{at}.npy": npy(array) for at, array in enumerate(given)}
    expected = {f"golden/outputs/{at}.npy": npy(array) for at, array in enumerate(golden_outputs)}
    manifest = msgspec.structs.replace(
        tiny_manifest(
            name, version, default_release(version), model_size=len(model), golden_count=count
        ),
        task=task,
        classes=classes,
        labels=labels,
        refusals=refusals,
        inputs=inputs,
        outputs=tuple(outputs),
        window=window,
        golden=Golden(count=count, inputs=tuple(goldens), outputs=tuple(expected), tolerance=tolerance),
    )
    path.write_bytes(
        seal(manifest, {MODEL_FILE: model} | goldens | expected, [] if key is None else [key])
    )
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


def passing(path: Path, outputs: Mapping[str, npt.NDArray[Any]], *, task: Task, **names: Any) -> Path:
    """A model that says what it is given: each output, by its meaning, is the input MEANING_in.

    `outputs` are the goldens; of several, each of shape (n,), the inputs are the columns of a table.
    """
    declared, made, found, wanted = [], [], [], []
    for meaning, array in outputs.items():
        tensor: dict[str, Any] = {"dtype": str(array.dtype), "shape": (None, *array.shape[1:])}
        declared.append(Input(name=f"{meaning}_in", **tensor))
        made.append(Output(name=meaning, meaning=meaning, **tensor))  # type: ignore[arg-type]
        shape = ["n", *array.shape[1:]]
        found.append((f"{meaning}_in", KINDS[str(array.dtype)], shape))
        wanted.append((meaning, KINDS[str(array.dtype)], shape))
    nodes = [helper.make_node("Identity", [f"{meaning}_in"], [meaning]) for meaning in outputs]
    goldens = list(outputs.values())
    return write_bundle(
        path,
        graph(nodes, found, wanted),
        task=task,
        declared=declared,
        outputs=made,
        golden_input=goldens,
        golden_outputs=goldens,
        **names,
    )


LABELS = (Label(name="colour", classes=("red", "blue")), Label(name="size", classes=("S", "M", "L")))


def two_labels(path: Path) -> Path:
    """Two labels with probabilities: each is the whole number it is given, and certain of it."""
    rows = np.array([[0, 2], [1, 0]], np.float32)
    nodes = [
        helper.make_node("Cast", ["rows"], ["label"], to=INT64),
        helper.make_node("OneHot", ["label", "depth", "off_on"], ["probabilities"]),
    ]
    return write_bundle(
        path,
        graph(
            nodes,
            [("rows", FLOAT, ["n", 2])],
            [("label", INT64, ["n", 2]), ("probabilities", FLOAT, ["n", 2, 3])],
            [
                helper.make_tensor("depth", INT64, [1], [3]),
                helper.make_tensor("off_on", FLOAT, [2], [0.0, 1.0]),
            ],
        ),
        task="classification",
        labels=LABELS,
        declared=Input(name="rows", dtype="float32", shape=(None, 2)),
        outputs=[
            Output(name="label", dtype="int64", shape=(None, 2), meaning="label"),
            Output(name="probabilities", dtype="float32", shape=(None, 2, 3), meaning="probabilities"),
        ],
        golden_input=rows,
        golden_outputs=[
            rows.astype(np.int64),
            np.array([[[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [1, 0, 0]]], np.float32),
        ],
    )


def casting(path: Path, dtype: str) -> Path:
    """A transformation: value = input (n, 3) of `dtype`, as float64."""
    rows = np.array([[0, 1, 0]]).astype(dtype)
    return write_bundle(
        path,
        graph(
            [helper.make_node("Cast", ["rows"], ["value"], to=DOUBLE)],
            [("rows", KINDS[dtype], ["n", 3])],
            [("value", DOUBLE, ["n", 3])],
        ),
        task="transformation",
        declared=Input(name="rows", dtype=dtype, shape=(None, 3)),  # type: ignore[arg-type]
        outputs=[Output(name="value", dtype="float64", shape=(None, 3), meaning="value")],
        golden_input=rows,
        golden_outputs=[rows.astype(np.float64)],
    )


def counting_texts(path: Path) -> Path:
    """Texts (n, 2), some missing: 1 for each 'a', 2 for each missing one, 9 for others."""
    node = helper.make_node(
        "LabelEncoder",
        ["texts"],
        ["value"],
        domain="ai.onnx.ml",
        keys_strings=["a", MISSING_TEXT],
        values_floats=[1.0, 2.0],
        default_float=9.0,
    )
    return write_bundle(
        path,
        graph(
            [node],
            [("texts", STRING, ["n", 2])],
            [("value", FLOAT, ["n", 2])],
            opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)],
        ),
        task="transformation",
        declared=Input(name="texts", dtype="string", shape=(None, 2), allow_nan=True),
        outputs=[Output(name="value", dtype="float32", shape=(None, 2), meaning="value")],
        golden_input=np.array([["a", MISSING_TEXT], ["b", "a"]]),
        golden_outputs=[np.array([[1, 2], [9, 1]], np.float32)],
    )


def anomaly_windows(path: Path) -> Path:
    """score = 1 - the window's mean, float64; below 0 an anomaly. Windows of 4 samples of 2 channels."""
    windows = np.array([0.5, 3], np.float32).repeat(8).reshape(2, 4, 2)
    nodes = [
        helper.make_node("Cast", ["windows"], ["double"], to=DOUBLE),
        helper.make_node("ReduceMean", ["double"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Sub", ["one", "mean"], ["score"]),
        helper.make_node("GreaterOrEqual", ["score", "zero"], ["fine"]),
        helper.make_node("Cast", ["fine"], ["label"], to=INT64),
    ]
    constants = [helper.make_tensor(name, DOUBLE, [], [at]) for at, name in enumerate(("zero", "one"))]
    return write_bundle(
        path,
        graph(
            nodes,
            [("windows", FLOAT, ["n", 4, 2])],
            [("label", INT64, ["n"]), ("score", DOUBLE, ["n"])],
            constants,
        ),
        task="anomaly",
        classes=("anomaly", "normal"),
        window=Window(channels=("x", "y"), length=4, stride=2),
        declared=Input(name="windows", dtype="float32", shape=(None, 4, 2)),
        outputs=[
            Output(name="label", dtype="int64", shape=(None,), meaning="label"),
            Output(name="score", dtype="float64", shape=(None,), meaning="score"),
        ],
        golden_input=windows,
        golden_outputs=[np.array([1, 0]), np.array([0.5, -2.0])],
    )
