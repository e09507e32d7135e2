"""XGBoost, leaf for leaf: rows within 3 ulp of thresholds, missing numbers, categories never seen."""

from typing import Any

import numpy as np
import pytest

from edge_runtime.errors import UnsupportedModelError
from tests.converter.lowering.boosters.against_source import (
    assert_same_answers,
    assert_same_of_frame,
    beside_thresholds,
    data,
    forest_of,
    frame_of,
    in_another_order,
    of_known_categories,
    walked,
    with_categories_never_seen,
    with_odd_codes,
)

xgboost = pytest.importorskip("xgboost")
TYPES = ["q", "q", "q", "c", "c"]


def model(kind: str, **parameters: Any) -> Any:
    small = {"n_estimators": 8, "max_depth": 4, "n_jobs": 1, **parameters}
    return getattr(xgboost, f"XGB{kind}")(**small)


def assert_same(fitted: Any, rows: np.ndarray) -> None:
    wanted = fitted.apply(rows).reshape(len(rows), -1)
    np.testing.assert_array_equal(walked(fitted, rows), wanted)
    assert_same_answers(fitted, rows)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("kind", ["Classifier", "Regressor", "RFClassifier", "RFRegressor"])
def test_20_000_rows_within_3_ulp_of_thresholds(kind: str, missing: float, dtype: type) -> None:
    """A float64 row is rounded to float32 first, which the ulps of float64 put to the test."""
    table, truth = data(missing=missing)
    fitted = model(kind).fit(table, truth)
    assert_same(fitted, beside_thresholds(fitted, table.astype(dtype)))


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"base_score": 0.3},
        {"booster": "dart", "rate_drop": 0.5},
        {"num_parallel_tree": 2, "subsample": 0.5},
        {"max_depth": 0, "max_leaves": 6, "grow_policy": "lossguide"},
        {"tree_method": "exact"},
        {"objective": "binary:hinge"},
        {"objective": "binary:logitraw"},
        {"gamma": 1e9},
    ],
    ids=str,
)
def test_two_classes(parameters: dict[str, Any]) -> None:
    table, truth = data()
    fitted = model("Classifier", **parameters).fit(table, truth > 0)
    splits = forest_of(fitted).inner.any()
    assert splits != ("gamma" in parameters)
    assert_same(fitted, beside_thresholds(fitted, table, 5_000) if splits else table)


@pytest.mark.parametrize("objective", ["multi:softprob", "multi:softmax"])
def test_three_classes_and_weights(objective: str) -> None:
    table, truth = data()
    fitted = model("Classifier", objective=objective).fit(table, truth, sample_weight=1.0 + truth)
    assert_same(fitted, beside_thresholds(fitted, table, 5_000))


@pytest.mark.parametrize(
    "objective",
    [
        *("reg:squarederror", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror"),
        *("reg:logistic", "reg:gamma", "reg:tweedie", "count:poisson", "survival:cox"),
    ],
)
@pytest.mark.parametrize("base_score", [None, 0.4])
def test_every_objective_of_a_regressor(objective: str, base_score: float | None) -> None:
    table, truth = data()
    fitted = model("Regressor", objective=objective, base_score=base_score).fit(table, truth / 3 + 0.1)
    assert_same(fitted, beside_thresholds(fitted, table, 2_000))


def test_several_quantiles() -> None:
    table, truth = data()
    fitted = model("Regressor", objective="reg:quantileerror", quantile_alpha=[0.1, 0.5, 0.9])
    fitted.fit(table, truth)
    assert_same(fitted, beside_thresholds(fitted, table, 2_000))


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
def test_several_values(strategy: str) -> None:
    table, truth = data()
    fitted = model("Regressor", multi_strategy=strategy).fit(
        table, np.stack([truth, -2 * truth], axis=1)
    )
    assert_same(fitted, beside_thresholds(fitted, table, 2_000))


def test_a_large_base_score_and_many_trees_stay_within_float32_rounding() -> None:
    table, truth = data()
    fitted = model("Regressor", n_estimators=300).fit(table, truth + 1e6)
    assert_same(fitted, beside_thresholds(fitted, table, 1_000))


def test_early_stopping_leaves_out_what_came_after_the_best() -> None:
    table, truth = data()
    fitted = model("Classifier", n_estimators=50, num_parallel_tree=2, early_stopping_rounds=4)
    fitted.fit(table[:400], truth[:400], eval_set=[(table[400:], truth[399::-1][:200])], verbose=False)
    assert fitted.best_iteration + 1 < fitted.get_booster().num_boosted_rounds()
    assert forest_of(fitted).n_trees == (fitted.best_iteration + 1) * 2 * 3
    assert_same(fitted, beside_thresholds(fitted, table, 2_000))


@pytest.mark.parametrize("missing", [np.nan, 1.0])
@pytest.mark.parametrize("max_cat_to_onehot", [1, 100], ids=["sets", "one category"])
@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_native_categories_with_codes_never_seen(
    kind: str, max_cat_to_onehot: int, missing: float
) -> None:
    table, truth = data()
    fitted = model(
        kind,
        enable_categorical=True,
        feature_types=TYPES,
        max_cat_to_onehot=max_cat_to_onehot,
        missing=missing,
    ).fit(table, truth)
    assert forest_of(fitted).inner[forest_of(fitted).feature == 3].any()
    assert_same(fitted, with_odd_codes(beside_thresholds(fitted, table, 10_000)))


def test_categories_of_a_data_frame_by_code_and_as_they_stand() -> None:
    table, truth = data()
    frame = frame_of(table)
    fitted = model("Classifier", enable_categorical=True).fit(frame, truth)
    by_code = {name: frame[name].cat.codes for name in ("kind", "grade")}
    codes = frame.assign(**by_code).to_numpy(np.float32)
    codes[codes[:, 1] < 0, 1] = np.nan
    np.testing.assert_array_equal(fitted.predict_proba(codes), fitted.predict_proba(frame))
    assert_same_answers(fitted, codes)
    assert_same_of_frame(fitted, frame)
    assert_same_of_frame(fitted, in_another_order(frame))
    never_seen = with_categories_never_seen(frame)
    assert_same_of_frame(fitted, of_known_categories(never_seen, frame), given=never_seen)


def test_categories_beyond_ascii_are_refused() -> None:
    table, truth = data()
    frame = frame_of(table)
    frame["kind"] = frame["kind"].cat.rename_categories({"c01": "größe"})
    fitted = model("Classifier", enable_categorical=True).fit(frame, truth)
    with pytest.raises(UnsupportedModelError, match=r"^XGBClassifier: a category has letters beyond"):
        forest_of(fitted)


@pytest.mark.parametrize("missing", [0.0, -0.5, 2.0])
def test_a_number_that_means_missing(missing: float) -> None:
    table, truth = data()
    table[::7, :3] = missing
    fitted = model("Regressor", missing=missing).fit(table, truth)
    assert_same(fitted, beside_thresholds(fitted, table))


def test_thresholds_at_zero_tell_the_zeros_from_the_smallest_numbers() -> None:
    smallest = np.float32(1e-45)
    table = np.array([0.0, -0.0, smallest, -smallest] * 25, np.float32)[:, None]
    fitted = model("Regressor", tree_method="exact").fit(table, np.tile([1, 1, 5, -3], 25))
    assert_same(fitted, table)


def test_a_linear_booster_is_refused() -> None:
    fitted = model("Regressor", booster="gblinear", max_depth=None).fit(*data(missing=0.0))
    with pytest.raises(UnsupportedModelError, match=r"^XGBRegressor: booster='gblinear'.*ElasticNet"):
        forest_of(fitted)


def test_an_objective_of_ones_own_is_refused() -> None:
    def squares(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return predicted - truth, np.ones_like(truth)

    fitted = model("Regressor", objective=squares).fit(*data())
    with pytest.raises(UnsupportedModelError, match=r"^XGBRegressor: an objective of your own"):
        forest_of(fitted)


def test_several_labels_are_refused() -> None:
    table, truth = data()
    fitted = model("Classifier").fit(table, np.stack([truth > 0, truth > 1], axis=1))
    with pytest.raises(UnsupportedModelError, match=r"^XGBClassifier: .*several labels"):
        forest_of(fitted)


def test_ranking_is_refused() -> None:
    table, truth = data()
    fitted = model("Regressor", objective="rank:pairwise").fit(table, truth)
    with pytest.raises(UnsupportedModelError, match=r"^XGBRegressor: objective='rank:pairwise'"):
        forest_of(fitted)
