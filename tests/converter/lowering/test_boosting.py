"""Gradient boosting, leaf for leaf: rows within a few ulp of thresholds, missing ones, infinities."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_classifier
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from threadpoolctl import threadpool_limits

import converter
from converter.blocks import WindowFeatures
from converter.graph import Graph
from converter.lowering import catalogue, registry
from converter.lowering.registry import Scores
from converter.lowering.trees import Ensemble, ensemble, folded, sum_of_leaves
from converter.tracing.tensor import Tensor
from edge_runtime.errors import UnsupportedModelError
from tests.converter.lowering.at_thresholds import beside_thresholds, leaves_in_onnx
from tests.converter.lowering.lowered import in_onnx
from tests.converter.onnx_run import run_onnx

catalogue.load()
CASES: dict[str, list[Any]] = {
    "no scaler": [],
    "standard": [StandardScaler()],
    "min max": [MinMaxScaler((-2, 5))],
    "four in a row": [MaxAbsScaler(), StandardScaler(), MinMaxScaler(), RobustScaler()],
}
LOADERS = {"two classes": load_breast_cancer, "three classes": load_wine, "regression": load_diabetes}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Histogram boosting waits for its threads by spinning: minutes on a machine that is busy."""
    with threadpool_limits(1):
        yield


def data(task: str) -> tuple[np.ndarray, np.ndarray]:
    table, truth = LOADERS[task](return_X_y=True)
    return table.astype(np.float32), truth


def boosting(kind: str, task: str, **parameters: Any) -> Any:
    """A small one of each: 20 stages of 15 leaves or depth 4."""
    if kind == "classic":
        wanted = GradientBoostingRegressor if task == "regression" else GradientBoostingClassifier
        return wanted(n_estimators=20, max_depth=4, random_state=0, **parameters)
    histogram = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    return histogram(max_iter=20, max_leaf_nodes=15, min_samples_leaf=5, random_state=0, **parameters)


def with_missing(table: np.ndarray, fraction: float, seed: int = 0) -> np.ndarray:
    holes = np.random.default_rng(seed).random(table.shape) < fraction
    return np.where(holes, np.float32(np.nan), table)


def source_leaves(model: Any, seen: np.ndarray) -> np.ndarray:
    """(rows, trees): the leaf each tree ends in, by scikit-learn's own walk."""
    if hasattr(model, "apply"):
        return model.apply(seen).reshape(len(seen), -1).astype(int)
    known = model._bin_mapper.make_known_categories_bitsets()
    columns = []
    for predictor in (tree for stage in model._predictors for tree in stage):
        nodes = predictor.nodes.copy()
        nodes["value"] = np.arange(len(nodes))  # each leaf answers its own number
        numbered = TreePredictor(
            nodes, predictor.binned_left_cat_bitsets, predictor.raw_left_cat_bitsets
        )
        columns.append(numbered.predict(seen.astype(np.float64), *known, 1))
    return np.stack(columns, axis=1).astype(int)


def graph_of(read: Ensemble) -> bytes:
    graph = Graph()
    rows = Tensor.input(graph, "rows", "float32", (None, read.forest.n_features))
    scores = sum_of_leaves(read.forest, rows)
    answer = read.answer(scores)
    made = {"scores": scores}
    if isinstance(answer, Scores):
        made |= {"label": answer.label, "probabilities": answer.probabilities}
    else:
        made["value"] = answer
    return graph.to_bytes({name: (t.name, t.dtype.name, t.shape) for name, t in made.items()})


def read(pipeline: Pipeline) -> Ensemble:
    """The pipeline's trees, on the input of its scalers."""
    *scalers, model = (step for _, step in pipeline.steps)
    found = ensemble(model)
    return replace(found, forest=folded(found.forest, scalers)) if scalers else found


def assert_same(pipeline: Pipeline, rows: np.ndarray) -> None:
    """Leaves and labels are the source's on every row; so are scores, rounded once."""
    model = pipeline[-1]
    seen = pipeline[:-1].transform(rows.copy()) if len(pipeline) > 1 else rows
    found = read(pipeline)
    assert np.array_equal(leaves_in_onnx(found.forest, rows), source_leaves(model, seen))
    scores, *answers = run_onnx(graph_of(found), rows)
    raw = model._raw_predict(seen).reshape(scores.shape)
    assert np.array_equal(scores, raw.astype(np.float32))
    if is_classifier(model):
        assert np.array_equal(model.classes_[answers[0]], model.predict(seen))
        assert np.abs(answers[1] - model.predict_proba(seen)).max() < 1e-6
    else:
        np.testing.assert_allclose(answers[0], model.predict(seen), rtol=2e-6)


def placed(pipeline: Pipeline, table: np.ndarray, count: int) -> np.ndarray:
    return beside_thresholds(table, read(pipeline).forest, count)


@pytest.mark.parametrize("task", LOADERS)
@pytest.mark.parametrize("kind", ["classic", "histogram"])
@pytest.mark.parametrize("name", CASES)
def test_480_000_rows_within_3_ulp_of_thresholds_reach_the_same_leaves_and_labels(
    name: str, kind: str, task: str
) -> None:
    table, truth = data(task)
    pipeline = make_pipeline(*CASES[name], boosting(kind, task)).fit(table, truth)
    assert_same(pipeline, placed(pipeline, table, 20_000))


@pytest.mark.parametrize("task", LOADERS)
@pytest.mark.parametrize("name", ["no scaler", "standard", "four in a row"])
def test_missing_numbers_take_the_branch_they_took_in_training(name: str, task: str) -> None:
    table, truth = data(task)
    trained = with_missing(table, 0.2)
    pipeline = make_pipeline(*CASES[name], boosting("histogram", task)).fit(trained, truth)
    assert any(stage[0].nodes["missing_go_to_left"].any() for stage in pipeline[-1]._predictors)
    assert_same(pipeline, with_missing(placed(pipeline, table, 10_000), 0.1, seed=1))


@pytest.mark.parametrize("task", LOADERS)
def test_missing_numbers_that_training_never_saw_go_where_scikit_learn_sends_them(task: str) -> None:
    table, truth = data(task)
    pipeline = make_pipeline(boosting("histogram", task)).fit(table, truth)
    assert_same(pipeline, with_missing(placed(pipeline, table, 5_000), 0.3))


def test_a_split_of_missing_from_all_others_and_infinities() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(400, 2)).astype(np.float32)
    table[rng.random(table.shape) < 0.2] = np.inf
    table[rng.random(table.shape) < 0.1] = -np.inf
    table[rng.random(table.shape) < 0.2] = np.nan
    truth = np.isnan(table[:, 0]) * 4 + np.isposinf(table[:, 1]) * 2 + np.isneginf(table[:, 1])
    pipeline = make_pipeline(boosting("histogram", "regression")).fit(table, truth)
    thresholds = ensemble(pipeline[-1]).forest.threshold
    assert np.isposinf(thresholds).any(), "a split of the missing numbers from all others"
    assert (np.isfinite(thresholds) & (thresholds > 1e300 / 2)).any(), "one of infinity from all others"
    largest = np.finfo(np.float32).max
    extremes = np.array([-np.inf, -largest, 0, largest, np.inf, np.nan], dtype=np.float32)
    assert_same(pipeline, np.stack(np.meshgrid(extremes, extremes), axis=2).reshape(-1, 2))
    assert_same(pipeline, table)
    finite = table[~np.isinf(table).any(axis=1)]
    assert converter.convert(pipeline, finite, name="some", version="1.0.0").manifest.variants[0].exact


@pytest.mark.parametrize(
    "model",
    [
        *(
            boosting("classic", "regression", loss=loss)
            for loss in ("absolute_error", "huber", "quantile")
        ),
        *(
            boosting("histogram", "regression", loss=loss)
            for loss in ("absolute_error", "poisson", "gamma")
        ),
        boosting("histogram", "regression", loss="quantile", quantile=0.3),
        boosting("classic", "regression", init="zero", learning_rate=0.7, subsample=0.5),
    ],
    ids=lambda model: f"{type(model).__name__} {model.loss}",
)
def test_every_loss_of_a_regressor(model: Any) -> None:
    table, truth = data("regression")
    pipeline = make_pipeline(StandardScaler(), model).fit(table, truth + 1e5)
    assert_same(pipeline, placed(pipeline, table, 2_000))


@pytest.mark.parametrize(
    ("task", "parameters"),
    [
        ("two classes", {"loss": "exponential"}),
        ("two classes", {"init": "zero"}),
        ("three classes", {"init": "zero", "n_iter_no_change": 2}),
        ("three classes", {"init": DummyClassifier(strategy="most_frequent")}),
    ],
    ids=str,
)
def test_losses_and_starts_of_a_classifier(task: str, parameters: dict[str, Any]) -> None:
    table, truth = data(task)
    pipeline = make_pipeline(boosting("classic", task, **parameters)).fit(table, truth)
    assert_same(pipeline, placed(pipeline, table, 2_000))


@pytest.mark.parametrize("kind", ["classic", "histogram"])
def test_a_score_of_exactly_zero_means_the_class_scikit_learn_says(kind: str) -> None:
    """One of the two kinds says the second class, the other the first."""
    table, truth = np.zeros((40, 1), np.float32), np.arange(40) % 2
    pipeline = make_pipeline(boosting(kind, "two classes")).fit(table, truth)
    assert pipeline.decision_function(table).tolist() == [0.0] * 40
    assert_same(pipeline, table)


def test_many_trees_add_up_as_in_the_source_one_row_and_many() -> None:
    table, truth = data("regression")
    model = boosting("classic", "regression").set_params(n_estimators=300, max_depth=2)
    pipeline = make_pipeline(model).fit(table, truth + 1e6)
    raw = graph_of(ensemble(model))
    for batch in (1, 7, 500):
        scores, _ = run_onnx(raw, table, batch)
        assert np.array_equal(scores[:, 0], pipeline.predict(table).astype(np.float32))


@pytest.mark.parametrize("task", LOADERS)
@pytest.mark.parametrize("kind", ["classic", "histogram"])
def test_the_whole_conversion_states_exact_leaves(kind: str, task: str) -> None:
    table, truth = data(task)
    if kind == "histogram":
        table = with_missing(table, 0.05)
    labels = truth if task == "regression" else np.array(["a", "b", "c"])[truth]
    pipeline = make_pipeline(MinMaxScaler(), boosting(kind, task)).fit(table, labels)
    manifest = converter.convert(pipeline, table, labels, name="some", version="1.0.0").manifest
    (variant,) = manifest.variants
    assert variant.exact == "leaves"
    assert variant.parity.label_disagreements == variant.parity.rounded_splits == 0
    assert variant.parity.max_abs_error < variant.parity.tolerance / 50


@pytest.mark.parametrize("task", LOADERS)
def test_native_categories_of_numbers_and_texts(task: str) -> None:
    """Unseen ones and missing ones go where the model sends what is missing."""
    table, truth = data(task)
    rng = np.random.default_rng(0)
    rank = np.argsort(np.argsort(truth, kind="stable")) * 7 // len(truth)
    codes = np.where(rng.random(len(truth)) < 0.7, rank * 3 % 7, rng.integers(0, 7, len(truth)))
    frame = pd.DataFrame(table[:, :5], columns=list("abcde"))
    frame["kind"] = pd.Categorical(np.array(["x", "y", "z", "u", "v", "w", "t"])[codes])
    frame["level"] = (codes % 5).astype(float)
    frame.loc[::7, "kind"] = None
    frame.loc[::5, "level"] = np.nan
    model = boosting("histogram", task, categorical_features=["kind", "level"]).fit(frame, truth)
    assert any(stage[0].nodes["is_categorical"].any() for stage in model._predictors)
    fresh = frame.copy()
    fresh["kind"] = fresh["kind"].astype(object)
    fresh.loc[::3, "kind"] = "never seen"
    fresh.loc[1::3, "level"] = 17.0
    manifest = converter.convert(model, fresh, name="some", version="1.0.0").manifest
    assert [given.dtype for given in manifest.inputs][-2:] == ["string", "float64"]
    assert manifest.variants[0].exact == "leaves"
    assert manifest.variants[0].parity.label_disagreements == 0


@pytest.mark.parametrize(
    "init", [LogisticRegression(max_iter=2_000), DummyClassifier(strategy="uniform")]
)
def test_a_start_that_differs_from_row_to_row_is_refused(init: Any) -> None:
    table, truth = data("three classes")
    table = StandardScaler().fit_transform(table)
    model = boosting("classic", "three classes", init=init).fit(table, truth)
    with pytest.raises(UnsupportedModelError, match=rf"same for every row.*{type(init).__name__}"):
        ensemble(model)


@pytest.mark.parametrize("kind", ["classic", "histogram"])
def test_behind_a_block_leaves_stay_exact(kind: str) -> None:
    rng = np.random.default_rng(0)
    which = np.arange(120) % 2
    wave = np.sin(np.arange(32) * (0.4 + 0.1 * which[:, None]))[:, :, None]
    windows = (wave + rng.normal(scale=0.5, size=(120, 32, 2))).astype(np.float32)
    pipeline = make_pipeline(WindowFeatures(), RobustScaler(), boosting(kind, "two classes"))
    pipeline.fit(windows, which)
    (variant,) = converter.convert(pipeline, windows, name="some", version="1.0.0").manifest.variants
    assert variant.exact == "leaves"
    assert variant.parity.label_disagreements == 0


def test_a_loss_that_is_not_scikit_learns_own_is_refused() -> None:
    class Square:
        """A link nobody here has heard of."""

    model = boosting("histogram", "regression").fit(*data("regression"))
    model._loss.link = Square()
    with pytest.raises(
        UnsupportedModelError, match=r"HistGradientBoostingRegressor.*own losses.*Square"
    ):
        registry.value(model, data("regression")[0])


def beside_in_float64(table: np.ndarray, pipeline: Pipeline, count: int) -> np.ndarray:
    """Real rows in float64, each with one feature within 3 ulp of where a tree parts them."""
    *scalers, model = (step for _, step in pipeline.steps)
    forest = ensemble(model).forest
    rng = np.random.default_rng(0)
    node = rng.choice(np.flatnonzero(forest.inner & np.isfinite(forest.threshold)), count)
    rows = table[rng.integers(0, len(table), count)].astype(np.float64)
    seen = np.zeros_like(rows)
    seen[np.arange(count), forest.feature[node]] = forest.threshold[node]
    for scaler in reversed(scalers):
        seen = scaler.inverse_transform(seen)
    placed = seen[np.arange(count), forest.feature[node]]
    steps = rng.integers(-3, 4, count)
    for at in range(1, 4):
        placed = np.where(
            np.abs(steps) >= at, np.nextafter(placed, np.where(steps > 0, np.inf, -np.inf)), placed
        )
    rows[np.arange(count), forest.feature[node]] = placed
    return rows


@pytest.mark.parametrize("task", LOADERS)
@pytest.mark.parametrize("kind", ["classic", "histogram"])
@pytest.mark.parametrize("name", CASES)
def test_rows_of_float64_within_3_ulp_of_thresholds(name: str, kind: str, task: str) -> None:
    """Scalers stay in the graph here, and round every operation as numpy does."""
    table, truth = data(task)
    pipeline = make_pipeline(*CASES[name], boosting(kind, task)).fit(table.astype(np.float64), truth)
    rows = beside_in_float64(table, pipeline, 5_000)
    method = "value" if task == "regression" else "scores"
    found = in_onnx(pipeline, rows, method)
    if method == "value":
        np.testing.assert_array_equal(found["value"], pipeline.predict(rows).astype(np.float32))
        return
    np.testing.assert_array_equal(found["label"], pipeline.predict(rows))
    np.testing.assert_allclose(found["probabilities"], pipeline.predict_proba(rows), atol=1e-6)
