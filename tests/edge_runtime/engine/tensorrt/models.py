"""Converted models with a variant for TensorRT, one of numbers, one of a table; and engines for them."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import converter
from converter.converted import ConvertedBundle
from edge_runtime.bundle import Bundle, open_bundle
from edge_runtime.bundle.manifest import Variant
from edge_runtime.engine.tensorrt.engine import TensorRTEngine
from edge_runtime.engine.tensorrt.plans import Plans
from tests.edge_runtime.engine.tensorrt.simulated_gpu import machine

ID = "tensorrt-fp32"
ROWS = np.random.default_rng(1).normal(size=(200, 5)).astype(np.float32)


def table() -> pd.DataFrame:
    random = np.random.default_rng(2)
    columns = {"kind": random.choice(["a", "b"], 200), "level": random.normal(size=200)}
    return pd.DataFrame({**columns, "rate": random.normal(size=200).astype(np.float32)})


@cache
def forest() -> ConvertedBundle:
    """float32 (n, 5) to one of two classes."""
    labels = (ROWS[:, 0] > 0).astype(int)
    model = RandomForestClassifier(5, max_depth=4, random_state=0).fit(ROWS, labels)
    return converter.convert(
        model, ROWS[:64], labels[:64], name="forest", version="1.0.0", boards=["rtx-30"]
    )


@cache
def of_table() -> ConvertedBundle:
    """A text, a float64 and a float32 column: the first two are the host's part."""
    rows = table()
    labels = (rows.level + (rows.kind == "a") > 0.5).astype(int)
    coded = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    model = make_pipeline(coded, LogisticRegression()).fit(rows, labels)
    return converter.convert(
        model, rows[:64], labels[:64], name="table", version="1.0.0", boards=["rtx-30"]
    )


def opened(made: ConvertedBundle, folder: Path) -> Bundle:
    path = folder / f"{made.manifest.name}.edge"
    path.write_bytes(made.to_bytes())
    return open_bundle(path, root=None, allow_unsigned=True)


def onnx_of(made: ConvertedBundle) -> bytes:
    """The graph that TensorRT is given."""
    return made.artifacts[f"variants/{ID}/model.onnx"]


def variant_of(bundle: Bundle) -> Variant:
    """The one for TensorRT."""
    (found,) = (each for each in bundle.manifest.variants if each.engine == "tensorrt")
    return found


def engine_in(folder: Path, **settings: Any) -> TensorRTEngine:
    """One that keeps plans in `folder`, runs the forest on a simulated GPU, and tells nobody."""
    here = settings.pop("machine", None) or machine(onnx_of(forest()))
    given = {"folder": folder / "plans", "progress": lambda _: None}
    return TensorRTEngine(Plans(**(given | settings)), here)


def load(bundle: Bundle, engine: TensorRTEngine) -> Any:
    return engine.load(bundle, variant_of(bundle), threads=1)


def simulated(engine: TensorRTEngine) -> Any:
    """The simulated TensorRT of an engine, which counts its runs."""
    return engine._machine().trt
