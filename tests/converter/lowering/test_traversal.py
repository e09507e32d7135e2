"""Trees in standard operators: the same leaves as in the source, and sums as exact as in float64."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from converter.backends.tensorrt import try_builds
from converter.lowering import catalogue
from converter.lowering.forests import read_forest
from converter.lowering.traversal import split
from converter.lowering.trees import Forest, ensemble, folded, leaves
from edge_runtime.bundle.manifest import Profile
from tests.converter.lowering.at_thresholds import beside_thresholds, graph_of, leaves_in_onnx
from tests.converter.onnx_run import run_onnx

ROWS = 60_000
VALUES = st.just(0.0) | st.floats(1e-9, 1e6) | st.floats(-1e6, -1e-9)

catalogue.load()


def real_rows() -> tuple[np.ndarray, np.ndarray]:
    table, truth = load_breast_cancer(return_X_y=True)
    return table.astype(np.float32), truth


@pytest.mark.parametrize("chain", [[], [StandardScaler()], [RobustScaler(), MinMaxScaler((-2, 5))]])
def test_180_000_rows_within_3_ulp_of_thresholds_reach_the_same_leaves(chain: list[Any]) -> None:
    table, truth = real_rows()
    seen = table
    for scaler in chain:
        seen = scaler.fit_transform(seen)
    model = RandomForestClassifier(20, random_state=0).fit(seen, truth)
    forest = folded(read_forest(model), chain)
    rows = beside_thresholds(table, forest, ROWS)
    scaled = rows
    for scaler in chain:
        scaled = scaler.transform(scaled.copy())
    assert np.array_equal(leaves_in_onnx(forest, rows, standard=True), model.apply(scaled))
    (average,) = run_onnx(graph_of(forest, standard=True), rows)
    assert np.abs(average - model.predict_proba(scaled)).max() <= 2**-24


def test_missing_values_take_the_branch_they_took_in_training() -> None:
    table, truth = real_rows()
    rng = np.random.default_rng(0)
    table[rng.random(table.shape) < 0.3] = np.nan
    table[truth == 1, 0] = np.nan  # a split of missing from all others pays
    for model in (
        RandomForestClassifier(20, random_state=0).fit(table, truth),
        HistGradientBoostingClassifier(max_iter=20).fit(table, truth),
    ):
        forest = ensemble(model).forest
        assert forest.missing_left[forest.inner].any()
        assert not forest.missing_left[forest.inner].all()
        expected = forest.node[leaves(forest, table)]
        assert np.array_equal(leaves_in_onnx(forest, table, standard=True), expected)


def test_a_split_of_missing_from_all_others_parts_the_largest_number_from_nan() -> None:
    forest = tree(feature=[0, 0, 0], threshold=[np.inf, 0, 0], left=[1, -1, -1], right=[2, -1, -1])
    rows = np.array([[np.finfo(np.float32).max], [0.0], [np.nan]], np.float32)
    for missing_left in (False, True):
        other = replace(forest, missing_left=np.array([missing_left, False, False]))
        expected = [[1], [1], [1 if missing_left else 2]]
        assert leaves_in_onnx(other, rows, standard=True).tolist() == expected


def test_a_plan_of_deep_trees_is_built_while_one_waits() -> None:
    rng = np.random.default_rng(0)
    rows = np.exp(3 * rng.normal(size=(4000, 2))).astype(np.float32)
    model = ExtraTreesRegressor(5, random_state=0).fit(rows, rng.normal(size=len(rows)))
    assert max(tree.get_depth() for tree in model.estimators_) > 50
    raw = graph_of(read_forest(model), standard=True)
    (answer,) = run_onnx(raw, rows)
    np.testing.assert_allclose(answer[:, 0], model.predict(rows), rtol=0, atol=1e-6)
    profile = Profile(min_rows=1, opt_rows=1, max_rows=1024)
    # What grows with a power of the depth would take years.
    (trial,) = try_builds(raw, profile, ["8.6"], timeout_s=60)
    assert trial.why == ""


def test_a_tree_that_is_one_leaf_answers_with_it() -> None:
    table, truth = real_rows()
    forest = read_forest(DecisionTreeRegressor().fit(table, np.full(len(truth), 2.5)))
    (answer,) = run_onnx(graph_of(forest, standard=True), table[:3])
    assert answer.tolist() == [[2.5], [2.5], [2.5]]


def test_leaves_come_last_in_the_tables_and_are_their_own_children() -> None:
    table, truth = real_rows()
    forest = read_forest(RandomForestClassifier(5, random_state=0).fit(table, truth))
    kept = onnx.load_from_string(graph_of(forest, standard=True)).graph.initializer
    tables = {each.name.partition(".")[2]: onnx.numpy_helper.to_array(each) for each in kept}
    own, inner = np.arange(len(forest.node)), int(forest.inner.sum())
    for child in ("left", "right"):
        assert np.array_equal(tables[child] == own, own >= inner)
    assert not tables["feature"][inner:].any()
    assert not tables["leaves"][:inner].any()


def test_the_graph_grows_with_the_depth_and_not_with_the_number_of_trees() -> None:
    table, truth = real_rows()
    counts = set()
    for trees in (2, 50):
        model = RandomForestClassifier(trees, max_depth=4, random_state=0).fit(table, truth)
        graph = onnx.load_from_string(graph_of(read_forest(model), standard=True)).graph
        assert {node.domain for node in graph.node} == {""}
        counts.add(len(graph.node))
    assert len(counts) == 1


@given(
    st.lists(VALUES, min_size=1, max_size=60),
    st.integers(1, 2000),
    st.randoms(),
)
def test_steps_add_exactly_in_float32_in_any_order(
    values: list[float], n_trees: int, random: Any
) -> None:
    steps, rest = split(np.array(values), n_trees)
    chosen = np.array(random.choices(range(len(values)), k=n_trees))
    exact = float(steps[chosen].astype(np.float64).sum())
    assert float(np.cumsum(steps[chosen], dtype=np.float32)[-1]) == exact
    whole = exact + float(rest[chosen].astype(np.float64).sum())
    largest = np.abs(values).max() * n_trees
    assert abs(whole - np.array(values)[chosen].sum()) <= n_trees * 2.0**-47 * largest


def tree(feature: list[int], threshold: list[float], left: list[int], right: list[int]) -> Forest:
    count = len(feature)
    return Forest(
        n_trees=1,
        n_features=1,
        tree=np.zeros(count, np.int64),
        node=np.arange(count),
        feature=np.array(feature),
        threshold=np.array(threshold, np.float64),
        left=np.array(left),
        right=np.array(right),
        missing_left=np.zeros(count, np.bool_),
        values=np.arange(count, dtype=np.float64)[:, None],
    )
