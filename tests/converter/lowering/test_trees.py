"""Leaf for leaf: rows placed within a few ulp of every threshold, where rounding decides."""

from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

import converter
from converter.lowering.forests import read_forest
from converter.lowering.trees import Forest, folded, leaves
from tests.converter.lowering.at_thresholds import beside_thresholds, graph_of, leaves_in_onnx
from tests.converter.onnx_run import run_onnx

ROWS = 60_000
CASES = {
    "no scaler": [],
    "standard": [StandardScaler()],
    "robust, min max": [RobustScaler(), MinMaxScaler((-2, 5))],
    "four in a row": [MaxAbsScaler(), StandardScaler(), MinMaxScaler(), RobustScaler()],
}


def placed(chain: list[Any], model: Any) -> tuple[Pipeline, Forest, np.ndarray]:
    table, truth = load_breast_cancer(return_X_y=True)
    table = table.astype(np.float32)
    pipeline = make_pipeline(*chain, model).fit(table, truth)
    forest = folded(read_forest(model), chain)
    return pipeline, forest, beside_thresholds(table, forest, ROWS)


@pytest.mark.parametrize("name", CASES)
def test_240_000_rows_within_3_ulp_of_thresholds_reach_the_same_leaves_and_labels(name: str) -> None:
    model = RandomForestClassifier(20, random_state=0)
    pipeline, forest, rows = placed(CASES[name], model)
    seen = pipeline[:-1].transform(rows.copy()) if len(pipeline) > 1 else rows
    assert np.array_equal(leaves_in_onnx(forest, rows), model.apply(seen))
    assert np.array_equal(forest.node[leaves(forest, rows)], model.apply(seen))
    (average,) = run_onnx(graph_of(forest), rows)
    expected = model.predict_proba(seen)
    assert np.array_equal(average, expected.astype(np.float32))
    assert np.array_equal(model.classes_[average.argmax(axis=1)], model.predict(seen))


def test_the_usual_conversion_gets_some_of_those_rows_wrong() -> None:
    """Why thresholds are folded: a scaler computed in float32 moves rows across thresholds."""
    from skl2onnx import to_onnx

    pipeline, _, rows = placed([StandardScaler()], RandomForestClassifier(20, random_state=0))
    usual = to_onnx(pipeline, rows[:1], options={"zipmap": False}, target_opset=17)
    label, probabilities = run_onnx(usual.SerializeToString(), rows)
    wrong = np.abs(probabilities - pipeline.predict_proba(rows)).max(axis=1) > 0.01
    assert wrong.sum() > 100
    assert (label != pipeline.predict(rows)).sum() > 0


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("leaf", [1, 4])
@pytest.mark.parametrize(
    "kind",
    [DecisionTreeClassifier, ExtraTreeClassifier, RandomForestClassifier, ExtraTreesClassifier],
)
def test_a_classifiers_probabilities_are_the_sources_rounded_once(
    kind: type, leaf: int, n_classes: int
) -> None:
    table, truth = load_wine(return_X_y=True)
    table, truth = table[truth < n_classes].astype(np.float32), truth[truth < n_classes]
    many = {"n_estimators": 40} if hasattr(kind(), "n_estimators") else {}
    model = kind(min_samples_leaf=leaf, random_state=0, class_weight="balanced", **many)
    forest = read_forest(model.fit(table, truth))
    rows = beside_thresholds(table, forest, 4_000)
    (average,) = run_onnx(graph_of(forest), rows)
    expected = model.predict_proba(rows)
    assert np.abs(average - expected).max() <= 2**-24
    decided = np.diff(np.sort(expected, axis=1)[:, -2:], axis=1)[:, 0] > 1e-6
    assert np.array_equal(average.argmax(axis=1)[decided], model.predict(rows)[decided])
    assert decided.mean() > 0.9


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize(
    "kind", [DecisionTreeRegressor, ExtraTreeRegressor, RandomForestRegressor, ExtraTreesRegressor]
)
def test_a_regressors_values_are_the_sources_rounded_once(kind: type, outputs: int) -> None:
    table, truth = load_diabetes(return_X_y=True)
    table, truth = table.astype(np.float32), truth + 1e6  # a large offset: float32 sums would lose it
    if outputs == 2:
        truth = np.stack([truth, -truth / 3], axis=1)
    many = {"n_estimators": 40} if hasattr(kind(), "n_estimators") else {}
    model = kind(random_state=0, min_samples_leaf=2, **many).fit(table, truth)
    forest = read_forest(model)
    rows = beside_thresholds(table, forest, 4_000)
    (average,) = run_onnx(graph_of(forest), rows)
    expected = model.predict(rows).reshape(len(rows), -1)
    assert np.array_equal(average, expected.astype(np.float32))


@pytest.mark.parametrize("kind", [RandomForestClassifier, ExtraTreesClassifier])
def test_missing_numbers_take_the_branch_they_took_in_training(kind: type) -> None:
    table, truth = load_breast_cancer(return_X_y=True)
    table = table.astype(np.float32)
    rng = np.random.default_rng(0)
    table[rng.random(table.shape) < 0.2] = np.nan
    scaler = StandardScaler().fit(table)
    model = kind(30, random_state=0).fit(scaler.transform(table), truth)
    forest = folded(read_forest(model), [scaler])
    table[rng.random(table.shape) < 0.1] = np.nan
    (average,) = run_onnx(graph_of(forest), table)
    expected = model.predict_proba(scaler.transform(table))
    assert np.array_equal(average, expected.astype(np.float32))


def test_a_tree_that_is_one_leaf_answers_the_same_to_everything() -> None:
    model = DecisionTreeRegressor(max_leaf_nodes=None, min_samples_split=100)
    model.fit(np.zeros((4, 3)), [0.0, 0.0, 0.0, 0.0])
    (average,) = run_onnx(graph_of(read_forest(model)), np.ones((5, 3), np.float32))
    assert average.tolist() == [[0.0]] * 5


def test_left_leaves_of_a_tree_that_say_the_same_are_written_once() -> None:
    """ONNX Runtime keeps a right child beside its parent, and refuses one with two parents."""
    table, truth = load_wine(return_X_y=True)
    model = RandomForestClassifier(20, random_state=0).fit(table, truth)
    forest = read_forest(model)
    raw = graph_of(forest)
    (trees,) = (node for node in onnx.load_from_string(raw).graph.node if node.domain == "ai.onnx.ml")
    written = {given.name: list(given.ints) for given in trees.attribute}
    right = [
        child
        for child in zip(written["nodes_treeids"], written["nodes_falsenodeids"], strict=True)
        if child[1]
    ]
    assert len(set(right)) == len(right) == forest.inner.sum()
    assert len(written["nodes_treeids"]) < 0.85 * len(forest.node)
    rows = beside_thresholds(table.astype(np.float32), forest, 4_000)
    assert np.array_equal(run_onnx(raw, rows)[0], model.predict_proba(rows).astype(np.float32))


@pytest.mark.parametrize(("leaf", "wide"), [(1, False), (5, True)])
def test_whole_numbers_add_in_float32_and_fractions_in_float64(leaf: int, wide: bool) -> None:
    model = RandomForestClassifier(5, random_state=0, min_samples_leaf=leaf, bootstrap=False)
    forest = read_forest(model.fit(*load_wine(return_X_y=True)))
    assert (b"Cast" in graph_of(forest)) == wide


@pytest.mark.parametrize("dtype", ["float64", "int64"])
def test_rows_of_another_dtype_are_rounded_to_float32_as_scikit_learn_does(dtype: str) -> None:
    """A float64 number beside a threshold may round across it, in the source too."""
    table, truth = load_breast_cancer(return_X_y=True)
    model = RandomForestClassifier(20, random_state=0).fit(table, truth)
    forest = read_forest(model)
    rng = np.random.default_rng(0)
    node = rng.choice(np.flatnonzero(forest.inner), 20_000)
    rows = table[rng.integers(0, len(table), len(node))]
    rows[np.arange(len(node)), forest.feature[node]] = forest.threshold[node] * (1 + 1e-8)
    rows = rows.astype(dtype)
    manifest = converter.convert(model, rows, name="some", version="1.0.0", input_dtype=dtype).manifest
    assert manifest.inputs[0].dtype == dtype
    assert manifest.variants[0].exact == "leaves"
    assert manifest.variants[0].parity.label_disagreements == manifest.variants[0].parity.near_ties


def test_a_tree_of_several_labels_has_its_own_classes_for_each() -> None:
    table, truth = load_wine(return_X_y=True)
    both = np.column_stack([truth, truth == 1])
    for kind in (DecisionTreeClassifier, RandomForestClassifier):
        model = kind(random_state=0, min_samples_leaf=5).fit(table, both)
        manifest = converter.convert(model, table, both, name="some", version="1.0.0").manifest
        assert [label.classes for label in manifest.labels] == [("0", "1", "2"), ("0", "1")]
        assert [output.shape for output in manifest.outputs] == [(None, 2), (None, 2, 3)]
        assert manifest.variants[0].exact == "leaves"
