"""Bundles that refuse rows: a table that is told which, and the tiny model with a largest value."""

from pathlib import Path

import numpy as np
import onnx
from cryptography.hazmat.primitives.asymmetric import ec
from onnx import helper

from edge_runtime.bundle.manifest import Output
from tests.support.graphs import FLOAT, INT64, passing, write_bundle
from tests.support.tiny_bundle import TinyModel, golden_windows, tiny_manifest

REFUSALS = ("a town that training had not", "a number beyond the knots")


def refusing_table(path: Path, *, golden: int = 0) -> Path:
    """value = the column `value_in`; refused for the reason whose number is in `refused_in`.

    `golden` is what the second of two golden rows says there.
    """
    outputs = {"value": np.array([1.5, 2.5]), "refused": np.array([0, golden])}
    return passing(path, outputs, task="regression", refusals=REFUSALS)


def refusing_windows(path: Path, *, key: ec.EllipticCurvePrivateKey | None = None) -> Path:
    """The tiny model, which refuses windows with a value above 100, and gives another number, 9, for one
    above 1000."""
    model = onnx.load_from_string(TinyModel().graph())
    limits = {"above": 100.0, "broken": 1000.0}
    for name, limit in limits.items():
        model.graph.initializer.append(helper.make_tensor(f"{name}_limit", FLOAT, [], [limit]))
    for name, number in {"one": 1, "eight": 8}.items():
        model.graph.initializer.append(helper.make_tensor(name, INT64, [], [number]))
    model.graph.node.append(
        helper.make_node("ReduceMax", ["windows"], ["largest"], axes=[1, 2], keepdims=0)
    )
    for name, weight in zip(limits, ("one", "eight"), strict=True):
        model.graph.node.extend(
            [
                helper.make_node("Greater", ["largest", f"{name}_limit"], [f"is_{name}"]),
                helper.make_node("Cast", [f"is_{name}"], [f"{name}_int"], to=INT64),
                helper.make_node("Mul", [f"{name}_int", weight], [f"{name}_code"]),
            ]
        )
    model.graph.node.append(helper.make_node("Add", ["above_code", "broken_code"], ["refused"]))
    model.graph.output.append(helper.make_tensor_value_info("refused", INT64, ["batch"]))
    tiny = tiny_manifest("tiny", "1.0.0", 1, model_size=1, golden_count=6)
    windows = golden_windows()
    refused = Output(name="refused", dtype="int64", shape=(None,), meaning="refused")
    return write_bundle(
        path,
        model.SerializeToString(),
        task=tiny.task,
        classes=tiny.classes,
        window=tiny.window,
        declared=tiny.inputs[0],
        outputs=[*tiny.outputs, refused],
        refusals=("a value above 100",),
        golden_input=windows,
        golden_outputs=[*TinyModel()(windows), np.zeros(len(windows), np.int64)],
        tolerance=tiny.golden.tolerance,
        name="tiny",
        key=key,
    )
