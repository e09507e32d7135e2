"""Bundles of several inputs that are no table, and of several outputs."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from edge_runtime.bundle.manifest import Input, Output, Window
from tests.support.graphs import FLOAT, INT64, graph, write_bundle
from tests.support.tiny_bundle import CHANNELS, LENGTH, golden_windows

POINTS = Input(name="points", dtype="float32", shape=(None, 3))
FACTORS = Input(name="factors", dtype="int64", shape=(None, 2))
TOTAL = Output(name="total", dtype="float32", shape=(None,), meaning="value")
GRID = Output(name="grid", dtype="float32", shape=(None, 3, 2), meaning="value")
GIVEN = {
    "points": np.arange(12, dtype=np.float32).reshape(4, 3) / 8,
    "factors": np.arange(8, dtype=np.int64).reshape(4, 2),
}
Arrays = dict[str, npt.NDArray[Any]]


def said(given: Arrays) -> Arrays:
    """What the model says: the grid of products, and their sum."""
    grid = given["points"][:, :, None] * given["factors"][:, None, :].astype(np.float32)
    return {"total": grid.sum(axis=(1, 2)), "grid": grid}


def taken(where: slice) -> Arrays:
    """Some of the rows."""
    return {name: array[where] for name, array in GIVEN.items()}


def several(path: Path, *, outputs: tuple[Output, ...] = (TOTAL, GRID), **options: Any) -> Path:
    """inputs `points` float32 (n, 3) and `factors` int64 (n, 2); of the outputs these."""
    nodes = [
        helper.make_node("Constant", [], ["last"], value_ints=[2]),
        helper.make_node("Constant", [], ["middle"], value_ints=[1]),
        helper.make_node("Constant", [], ["places"], value_ints=[1, 2]),
        helper.make_node("Cast", ["factors"], ["numbers"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["points", "last"], ["columns"]),
        helper.make_node("Unsqueeze", ["numbers", "middle"], ["rows"]),
        helper.make_node("Mul", ["columns", "rows"], ["grid"]),
        helper.make_node("ReduceSum", ["grid", "places"], ["total"], keepdims=0),
    ]
    made = graph(
        nodes,
        [("points", FLOAT, ["n", 3]), ("factors", INT64, ["n", 2])],
        [(each.name, FLOAT, ["n", *each.shape[1:]]) for each in outputs],
    )
    answers = said(GIVEN)
    return write_bundle(
        path,
        made,
        task="regression",
        declared=(POINTS, FACTORS),
        outputs=outputs,
        golden_input=list(GIVEN.values()),
        golden_outputs=[answers[each.name] for each in outputs],
        **options,
    )


def two_values(path: Path) -> Path:
    """Windows float32 (n, 4, 2), and their `mean` and `sum` over time, (n, 2) each."""
    windows = golden_windows()
    nodes = [
        helper.make_node("Constant", [], ["time"], value_ints=[1]),
        helper.make_node("ReduceMean", ["windows"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("ReduceSum", ["windows", "time"], ["sum"], keepdims=0),
    ]
    names = ("mean", "sum")
    return write_bundle(
        path,
        graph(nodes, [("windows", FLOAT, ["n", 4, 2])], [(name, FLOAT, ["n", 2]) for name in names]),
        task="regression",
        declared=Input(name="windows", dtype="float32", shape=(None, LENGTH, len(CHANNELS))),
        outputs=[Output(name=name, dtype="float32", shape=(None, 2), meaning="value") for name in names],
        golden_input=windows,
        golden_outputs=[windows.mean(axis=1), windows.sum(axis=1)],
        window=Window(channels=CHANNELS, length=LENGTH, stride=2),
    )
