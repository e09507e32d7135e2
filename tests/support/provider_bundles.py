"""Bundles to try a provider with: a forest, two networks, a table with texts, a model of two inputs."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from onnx import TensorProto, helper, numpy_helper
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import converter
from tests.support.several import several

NAMES = ("forest", "mlp", "cnn", "table", "several")


def provider_bundles(folder: Path) -> list[Path]:
    """One file for each of `NAMES`, unsigned."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(400, 12)).astype(np.float32)
    labels = (rows[:, 0] + rows[:, 1] * rows[:, 2] > 0).astype(int)
    table = pd.DataFrame(
        {"colour": random.choice(["red", "green", "blue"], 400), "a": rows[:, 0], "b": rows[:, 1]}
    )
    columns = make_column_transformer((OneHotEncoder(), ["colour"]), (StandardScaler(), ["a", "b"]))
    windows = random.normal(size=(60, 6, 50)).astype(np.float32)
    models: dict[str, tuple[Any, Any]] = {
        "forest": (RandomForestClassifier(50, random_state=0).fit(rows, labels), rows[:60]),
        "mlp": (MLPClassifier((64, 64), max_iter=300, random_state=0).fit(rows, labels), rows[:60]),
        "cnn": (_convolutional(random), windows),
        "table": (make_pipeline(columns, LogisticRegression()).fit(table, labels), table[:60]),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that they are not signed
        made = [
            converter.convert(*models[name], name=name, version="1.0.0").save(folder / f"{name}.edge")
            for name in models
        ]
    return [*made, several(folder / "several.edge")]


def _convolutional(random: np.random.Generator) -> Any:
    """Windows (n, 6, 50) to probabilities (n, 4), an `onnx.ModelProto`."""

    def weights(name: str, *shape: int) -> Any:
        scale = np.sqrt(np.prod(shape[1:], dtype=float))
        return numpy_helper.from_array((random.normal(size=shape) / scale).astype(np.float32), name)

    made = helper.make_node
    nodes = [
        made("Conv", ["x", "w1", "b1"], ["c1"], pads=[2, 2]),
        made("Relu", ["c1"], ["r1"]),
        made("MaxPool", ["r1"], ["m1"], kernel_shape=[2], strides=[2]),
        made("Conv", ["m1", "w2", "b2"], ["c2"], pads=[2, 2]),
        made("Relu", ["c2"], ["r2"]),
        made("GlobalAveragePool", ["r2"], ["g"]),
        made("Flatten", ["g"], ["f"]),
        made("Gemm", ["f", "w3", "b3"], ["logits"]),
        made("Softmax", ["logits"], ["y"]),
    ]
    constants = [
        *(weights("w1", 32, 6, 5), weights("b1", 32)),
        *(weights("w2", 64, 32, 5), weights("b2", 64)),
        *(weights("w3", 64, 4), weights("b3", 4)),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 6, 50])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])
    graph = helper.make_graph(nodes, "cnn", [given], [result], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
