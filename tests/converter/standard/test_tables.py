"""Tables with texts, categories and missing values: a small part for the CPU, the rest for TensorRT."""

from functools import cache
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

import converter
from converter.backends.tensorrt import try_builds
from converter.standard.variant import PROFILE
from tests.converter.standard_variant import standard_variant

BOARDS = ("rtx-30", "rtx-50")
GRAPH, HOST_GRAPH = "variants/tensorrt-fp32/model.onnx", "variants/tensorrt-fp32/host.onnx"
CAPABILITIES = ("8.6", "12.0")


def machines(count: int, seed: int, missing: float = 0.1) -> pd.DataFrame:
    """Readings of machines: numbers in float64 and float32, counts, texts, categories, some missing."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "temperature": rng.normal(60, 12, count),
            "vibration": rng.gamma(2.0, 1.0, count).astype(np.float32),
            "starts": rng.integers(0, 400, count),
            "maker": rng.choice(["Bosch", "Siemens", "ABB", None], count, p=[0.4, 0.3, 0.2, 0.1]),
            "hall": pd.Categorical(rng.choice(["north", "south", "west"], count)),
            "state": rng.choice(["idle", "running", "läuft", "停止"], count),
        }
    )
    frame.loc[rng.random(count) < missing, "temperature"] = np.nan
    return frame


def wears(frame: pd.DataFrame) -> np.ndarray:
    luck = np.random.default_rng(len(frame)).normal(0, 0.3, len(frame))
    score = (
        (frame.temperature.fillna(60) - 60) / 12 + frame.vibration - 2 + (frame.maker == "ABB") + luck
    )
    return np.where(score > 0.4, "worn", "sound")


TRAINED, HELD_OUT, FRESH = machines(600, 1), machines(200, 2), machines(1000, 3)


def columns() -> ColumnTransformer:
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    makers = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    )
    halls = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return ColumnTransformer(
        [
            ("numbers", numbers, ["temperature", "vibration", "starts"]),
            ("makers", makers, ["maker"]),
            ("halls", halls, ["hall"]),
            ("states", TargetEncoder(cv=StratifiedKFold(5)), ["state"]),
        ]
    )


MODELS = {
    "linear": LogisticRegression(max_iter=500),
    "forest": RandomForestClassifier(10, random_state=0),
}


@cache
def converted(name: str) -> tuple[Any, converter.ConvertedBundle]:
    model = make_pipeline(columns(), MODELS[name]).fit(TRAINED, wears(TRAINED))
    bundle = converter.convert(model, HELD_OUT, name="worn", version="1.0.0", boards=BOARDS)
    return model, bundle


@pytest.mark.parametrize("name", MODELS)
def test_the_host_and_behind_it_the_graph_for_tensorrt_say_what_the_source_says(name: str) -> None:
    model, bundle = converted(name)
    plain, variant = bundle.manifest.variants
    assert (variant.file, variant.host) == (GRAPH, HOST_GRAPH)
    assert variant.requires == plain.requires == {"onnxruntime": ">=1.20"}  # of its host
    assert plain.exact == variant.exact == ""  # behind computed features no leaf is promised
    chances = model.predict_proba(FRESH)
    with standard_variant(bundle) as infer:
        found = infer(FRESH)
        for at in range(20):
            alone = infer(FRESH[at : at + 1])
            np.testing.assert_allclose(alone.probabilities, found.probabilities[[at]], atol=1e-6)
    same = np.abs(found.probabilities - chances).max(axis=1) < 1e-5
    assert (same | beside_a_threshold(model, FRESH)).all()
    assert same.mean() > 0.99
    decided = same & (np.abs(chances[:, 0] - chances[:, 1]) > 1e-6)
    assert (found.labels == model.predict(FRESH))[decided].all()


@pytest.mark.parametrize("name", MODELS)
def test_texts_that_training_lacked_and_missing_ones_are_what_the_source_makes_of_them(
    name: str,
) -> None:
    model, bundle = converted(name)
    rows = FRESH[:48].assign(
        maker=["Nobody", None, "", "siemens"] * 12, state=["Running", "idle ", "", "停"] * 12
    )
    rows.loc[rows.index[::3], "temperature"] = np.nan
    with standard_variant(bundle) as infer:
        found = infer(rows).probabilities
    np.testing.assert_allclose(found, model.predict_proba(rows), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_the_host_does_nothing_that_tensorrt_could(name: str) -> None:
    _, bundle = converted(name)
    host = onnx.load_from_string(bundle.artifacts[HOST_GRAPH])
    given = {each.name: each.type.tensor_type.elem_type for each in host.graph.input}
    assert given == {
        "temperature": TensorProto.DOUBLE, "maker": TensorProto.STRING,
        "hall": TensorProto.STRING, "state": TensorProto.STRING,
    }  # fmt: skip
    # every node is on the way to a text or a float64 number, or back from one
    lacking = {TensorProto.DOUBLE, TensorProto.STRING}
    known = types(host)
    for node in host.graph.node:
        below = {name for other in after(host, node) for name in (*other.input, *other.output)}
        assert any(known.get(value) in lacking for value in (*node.input, *node.output, *below)), node
    assert len(bundle.artifacts[HOST_GRAPH]) < 6000


@pytest.mark.parametrize("name", MODELS)
def test_tensorrt_is_given_neither_texts_nor_float64_and_builds_plans(name: str) -> None:
    _, bundle = converted(name)
    raw = bundle.artifacts[GRAPH]
    model = onnx.load_from_string(raw)
    assert {node.domain for node in model.graph.node} == {""}
    assert [each.domain for each in model.opset_import] == [""]
    assert not set(types(model).values()) & {TensorProto.DOUBLE, TensorProto.STRING}
    host = onnx.load_from_string(bundle.artifacts[HOST_GRAPH])
    crossing = {each.name for each in host.graph.output}
    own = {each.name for each in model.graph.input} - crossing
    assert own == {"vibration", "starts"}
    trials = try_builds(raw, PROFILE, CAPABILITIES)
    assert [(trial.capability, trial.why) for trial in trials] == [("8.6", ""), ("12.0", "")]
    assert bundle.manifest.variants[1].boards == BOARDS


def test_a_table_of_numbers_in_float32_needs_no_host() -> None:
    numbers = ["vibration", "starts"]
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(TRAINED[numbers], wears(TRAINED))
    bundle = converter.convert(model, HELD_OUT[numbers], name="worn", version="1.0.0", boards=BOARDS)
    (_, variant) = bundle.manifest.variants
    assert variant.host == ""
    assert variant.requires == {}
    assert HOST_GRAPH not in bundle.artifacts
    with standard_variant(bundle) as infer:
        assert (infer(FRESH).labels == model.predict(FRESH[numbers])).all()


def beside_a_threshold(model: Any, rows: pd.DataFrame) -> np.ndarray:
    """Where a feature, computed in float32, is within rounding of a split: counts fall on splits."""
    features = model[:-1].transform(rows)
    near = np.zeros(len(rows), np.bool_)
    for each in getattr(model[-1], "estimators_", ()):
        inner = each.tree_.children_left >= 0
        apart = np.abs(features[:, each.tree_.feature[inner]] - each.tree_.threshold[inner])
        near |= (apart < 1e-6).any(axis=1)
    return near


def types(model: onnx.ModelProto) -> dict[str, int]:
    """The element type of every value."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    found = {each.name: each.data_type for each in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        found[value.name] = value.type.tensor_type.elem_type
    return found


def after(model: onnx.ModelProto, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """The nodes that read what this one gives, and those that read what they give."""
    reached, found = set(node.output), []
    for other in model.graph.node:
        if reached.intersection(other.input):
            reached.update(other.output)
            found.append(other)
    return found
