"""CatBoost, leaf for leaf: rows within 3 ulp of borders, missing numbers, every way to grow a tree."""

from typing import Any

import numpy as np
import pytest

from edge_runtime.errors import UnsupportedModelError
from tests.converter.lowering.boosters.against_source import (
    assert_same_answers,
    beside_thresholds,
    data,
    forest_of,
    walked,
)

catboost = pytest.importorskip("catboost")


def model(kind: str, **parameters: Any) -> Any:
    small = {"iterations": 8, "depth": 4, "verbose": False, "allow_writing_files": False}
    return getattr(catboost, f"CatBoost{kind}")(**{**small, "thread_count": 1, **parameters})


def assert_same(fitted: Any, rows: np.ndarray) -> None:
    """A symmetric tree's leaves come in CatBoost's order; others must correspond one to one."""
    forest = forest_of(fitted)
    wanted = np.asarray(fitted.calc_leaf_indexes(rows, thread_count=1))
    found = walked(fitted, rows)
    if fitted.get_all_params()["grow_policy"] == "SymmetricTree":
        first = [np.flatnonzero(~forest.inner[forest.tree == tree])[0] for tree in range(forest.n_trees)]
        np.testing.assert_array_equal(found - first, wanted)
    else:
        for ours, theirs in zip(found.T, wanted.T, strict=True):
            pairs = np.unique(np.stack([ours, theirs]), axis=1)
            assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]
    assert_same_answers(fitted, rows)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("nan_mode", ["Min", "Max", "never seen"])
@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_20_000_rows_within_3_ulp_of_borders(kind: str, nan_mode: str, dtype: type) -> None:
    """Missing numbers are below or above all borders, or were not seen in training."""
    missing, _ = data(missing=0.2)
    table, truth = data(missing=0.2 if nan_mode != "never seen" else 0.0)
    fitted = model(kind, nan_mode="Min" if nan_mode == "never seen" else nan_mode).fit(table, truth)
    assert_same(fitted, beside_thresholds(fitted, missing.astype(dtype)))


@pytest.mark.parametrize("grow_policy", ["Depthwise", "Lossguide", "SymmetricTree"])
@pytest.mark.parametrize("task", ["two classes", "three classes", "regression"])
def test_every_way_to_grow_a_tree_and_weights(grow_policy: str, task: str) -> None:
    table, truth = data()
    truth = truth > 0 if task == "two classes" else truth
    fitted = model("Regressor" if task == "regression" else "Classifier", grow_policy=grow_policy)
    fitted.fit(table, truth, sample_weight=1.0 + truth)
    assert_same(fitted, beside_thresholds(fitted, table, 5_000))


@pytest.mark.parametrize("depth", [1, 9])
def test_shallow_and_deep_trees(depth: int) -> None:
    table, truth = data()
    fitted = model("Regressor", depth=depth).fit(table, truth)
    assert_same(fitted, beside_thresholds(fitted, table, 5_000))


@pytest.mark.parametrize(
    "labels", [np.array(["a", "b", "c"]), np.array([7, 3, -1]), np.array([0.5, 2.5, 1.0])], ids=str
)
@pytest.mark.parametrize("loss", ["MultiClass", "MultiClassOneVsAll"])
def test_three_classes_of_any_name(loss: str, labels: np.ndarray) -> None:
    table, truth = data()
    fitted = model("Classifier", loss_function=loss).fit(table, labels[truth])
    assert_same(fitted, beside_thresholds(fitted, table, 2_000))


@pytest.mark.parametrize(
    "loss", ["Logloss", "CrossEntropy", "MultiClass", "Focal:focal_alpha=0.5;focal_gamma=2"]
)
def test_every_loss_of_two_classes(loss: str) -> None:
    table, truth = data()
    fitted = model("Classifier", loss_function=loss).fit(table, (truth > 0).astype(int))
    assert_same(fitted, beside_thresholds(fitted, table, 2_000))


def test_a_probability_threshold_of_the_author_moves_the_labels() -> None:
    table, truth = data()
    fitted = model("Classifier").fit(table, truth > 0)
    before = fitted.predict(table)
    fitted.set_probability_threshold(0.8)
    assert (fitted.predict(table) != before).any()
    assert_same(fitted, table)


@pytest.mark.parametrize(
    "loss",
    [
        *(
            "RMSE",
            "MAE",
            "MAPE",
            "Quantile:alpha=0.3",
            "LogLinQuantile",
            "Expectile:alpha=0.3",
            "Lq:q=3",
        ),
        *("Huber:delta=1", "LogCosh", "Poisson", "Tweedie:variance_power=1.5", "Cox"),
        "MultiQuantile:alpha=0.2,0.8",
    ],
)
def test_every_loss_of_a_regressor(loss: str) -> None:
    table, truth = data()
    fitted = model("Regressor", loss_function=loss).fit(table, truth + 1.0)
    assert_same(fitted, beside_thresholds(fitted, table, 2_000))


def test_several_values() -> None:
    table, truth = data()
    fitted = model("Regressor", loss_function="MultiRMSE").fit(
        table, np.stack([truth, -2 * truth], axis=1)
    )
    assert_same(fitted, beside_thresholds(fitted, table, 2_000))


def test_a_scale_and_a_start_set_by_the_author() -> None:
    table, truth = data()
    fitted = model("Regressor").fit(table, truth + 1e5)
    fitted.set_scale_and_bias(2.5, -3.0)
    assert_same(fitted, beside_thresholds(fitted, table, 2_000))


def test_early_stopping_has_shortened_the_model() -> None:
    table, truth = data()
    fitted = model("Classifier", iterations=50, early_stopping_rounds=4)
    fitted.fit(table[:400], truth[:400], eval_set=(table[400:], truth[399::-1][:200]))
    assert forest_of(fitted).n_trees == fitted.best_iteration_ + 1 < 50
    assert_same(fitted, beside_thresholds(fitted, table, 2_000))


def test_categorical_features_are_refused_by_column() -> None:
    table, truth = data(missing=0.0)
    rows = table.astype(object)
    rows[:, 3] = rows[:, 3].astype(int)
    fitted = model("Classifier").fit(rows, truth, cat_features=[3])
    with pytest.raises(UnsupportedModelError, match=r"^CatBoostClassifier: categorical.*columns \[3\]"):
        forest_of(fitted)


def test_several_labels_are_refused() -> None:
    table, truth = data()
    fitted = model("Classifier", loss_function="MultiLogloss")
    fitted.fit(table, np.stack([truth > 0, truth > 1], axis=1).astype(int))
    with pytest.raises(
        UnsupportedModelError, match=r"^CatBoostClassifier: loss_function='MultiLogloss'"
    ):
        forest_of(fitted)


def test_uncertainty_is_refused() -> None:
    table, truth = data()
    fitted = model("Regressor", loss_function="RMSEWithUncertainty").fit(table, truth)
    with pytest.raises(UnsupportedModelError, match=r"'RMSEWithUncertainty' does not convert"):
        forest_of(fitted)
