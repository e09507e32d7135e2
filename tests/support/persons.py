"""A bundle of a table with columns of every kind, whose value tells what arrived in each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import helper

from edge_runtime.bundle.manifest import MISSING_TEXT, Input, Output
from tests.support.graphs import DOUBLE, KINDS, graph, write_bundle

PERSONS: dict[str, npt.NDArray[Any]] = {
    "age": np.array([30.5, np.nan, 7.25], np.float32),
    "visits": np.array([0, 3, 12], np.int64),
    "member": np.array([True, False, True]),
    "home town": np.array(["Ulm", "Bern", None], np.object_),
}


def persons_value(table: Mapping[str, Any]) -> npt.NDArray[Any]:
    """What `persons_table` computes: one digit group a column; other towns than its own are 9."""
    towns = {"Ulm": 1, "Bern": 2, None: 3}
    return np.array(
        [
            np.float64(np.float32(np.nan if age is None else age)) + 100 * visits + 10_000 * member
            + 100_000 * towns.get(town, 9)
            for age, visits, member, town in zip(
                table["age"], table["visits"], table["member"], table["home town"], strict=True
            )
        ],
        np.float64,
    )  # fmt: skip


def persons_table(path: Path, *, allow_nan: bool = True, **identity: Any) -> Path:
    """A regression of four columns of four dtypes; its value tells what arrived in each."""
    nodes = [
        helper.make_node(
            "LabelEncoder",
            ["home town"],
            ["town"],
            domain="ai.onnx.ml",
            keys_strings=["Ulm", "Bern", MISSING_TEXT],
            values_int64s=[1, 2, 3],
            default_int64=9,
        ),
    ]
    parts = {"age": "1", "visits": "100", "member": "10000", "town": "100000"}
    for name, weight in parts.items():
        nodes += [
            helper.make_node("Cast", [name], [f"{name}_f"], to=DOUBLE),
            helper.make_node("Mul", [f"{name}_f", f"w{weight}"], [f"{name}_w"]),
        ]
    nodes.append(helper.make_node("Sum", [f"{name}_w" for name in parts], ["value"]))
    columns = {"age": "float32", "visits": "int64", "member": "bool", "home town": "string"}
    missing = {"age", "home town"} if allow_nan else set()
    rows = PERSONS if allow_nan else {name: column[:1] for name, column in PERSONS.items()}
    texts = [MISSING_TEXT if town is None else town for town in rows["home town"]]
    return write_bundle(
        path,
        graph(
            nodes,
            [(name, KINDS[dtype], ["n"]) for name, dtype in columns.items()],
            [("value", DOUBLE, ["n"])],
            [helper.make_tensor(f"w{weight}", DOUBLE, [], [float(weight)]) for weight in parts.values()],
            opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)],
        ),
        task="regression",
        declared=[
            Input(name=name, dtype=dtype, shape=(None,), allow_nan=name in missing)  # type: ignore[arg-type]
            for name, dtype in columns.items()
        ],
        outputs=[Output(name="value", dtype="float64", shape=(None,), meaning="value")],
        golden_input=[*list(rows.values())[:3], np.array(texts)],
        golden_outputs=[persons_value(rows)],
        **identity,
    )
