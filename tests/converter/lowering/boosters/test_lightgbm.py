"""LightGBM, leaf for leaf: rows within 3 ulp of thresholds, missing numbers, categories never seen."""

from typing import Any

import numpy as np
import pytest

from edge_runtime.errors import UnsupportedModelError
from tests.converter.lowering.boosters.against_source import (
    CATEGORICAL,
    assert_same_answers,
    assert_same_of_frame,
    beside_thresholds,
    data,
    forest_of,
    frame_of,
    in_another_order,
    walked,
    with_categories_never_seen,
    with_odd_codes,
)

lightgbm = pytest.importorskip("lightgbm")
pytestmark = [
    # LightGBM invents names for the columns of an array, then scikit-learn misses them in the next.
    pytest.mark.filterwarnings("ignore:X does not have valid feature names"),
    # The new name of that argument exists from 4.7 on only.
    pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated"),
]
SETS = {"min_data_per_group": 2, "cat_smooth": 1}
ZERO = np.float32(1e-35)  # LightGBM reads what is not above this as 0


def model(kind: str, **parameters: Any) -> Any:
    small = {"n_estimators": 8, "num_leaves": 9, "min_child_samples": 5, "n_jobs": 1, "verbose": -1}
    return getattr(lightgbm, f"LGBM{kind}")(**{**small, **parameters})


def assert_same(fitted: Any, rows: np.ndarray) -> None:
    """Inner nodes come first, so leaf i of LightGBM is node `inner nodes + i`."""
    forest = forest_of(fitted)
    first = [np.flatnonzero(~forest.inner[forest.tree == tree])[0] for tree in range(forest.n_trees)]
    wanted = np.asarray(fitted.predict(rows, pred_leaf=True)).reshape(len(rows), -1)
    np.testing.assert_array_equal(walked(fitted, rows) - first, wanted)
    assert_same_answers(fitted, rows)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_20_000_rows_within_3_ulp_of_thresholds(kind: str, missing: float, dtype: type) -> None:
    table, truth = data(missing=missing)
    table = table.astype(dtype) * dtype(1 / 3)  # thresholds that are no float32 numbers
    fitted = model(kind).fit(table, truth)
    assert_same(fitted, beside_thresholds(fitted, table))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "parameters", [{}, {"zero_as_missing": True}, {"use_missing": False}], ids=["nan", "zero", "nothing"]
)
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_what_is_missing_and_numbers_next_to_zero(
    missing: float, parameters: dict[str, Any], dtype: type
) -> None:
    table, truth = data(missing=missing)
    rng = np.random.default_rng(0)
    table[rng.random(table.shape) < 0.3] = 0
    table[::2, 0] *= ZERO
    fitted = model("Regressor", **parameters).fit(table.astype(dtype), truth)
    rows = beside_thresholds(fitted, table.astype(dtype), 10_000)
    small = np.array([0.0, -0.0, ZERO, -ZERO, 2e-35, -2e-35, 1e-40, np.nan], dtype)
    chosen = rng.random(rows.shape) < 0.2
    rows[chosen] = rng.choice(small, chosen.sum())
    assert_same(fitted, rows)


@pytest.mark.parametrize(
    "parameters",
    [
        {"sigmoid": 2.5},
        {"boosting_type": "dart"},
        {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        {"data_sample_strategy": "goss"},
        {"objective": "cross_entropy"},
        {"extra_trees": True},
        {"is_unbalance": True, "max_depth": 2},
    ],
    ids=str,
)
def test_two_classes(parameters: dict[str, Any]) -> None:
    table, truth = data()
    fitted = model("Classifier", **parameters).fit(table, truth > 0)
    assert_same(fitted, beside_thresholds(fitted, table, 5_000))


@pytest.mark.parametrize("objective", ["multiclass", "multiclassova"])
@pytest.mark.parametrize("boosting_type", ["gbdt", "rf"])
def test_three_classes_by_name_and_weights(objective: str, boosting_type: str) -> None:
    table, truth = data()
    names = np.array(["still", "walking", "running"])[truth]
    fitted = model("Classifier", objective=objective, boosting_type=boosting_type, sigmoid=0.7)
    fitted.set_params(bagging_freq=1, bagging_fraction=0.5)
    fitted.fit(table, names, sample_weight=1.0 + truth)
    assert_same(fitted, beside_thresholds(fitted, table, 5_000))


@pytest.mark.parametrize(
    "objective",
    [
        *(
            "regression",
            "regression_l1",
            "huber",
            "fair",
            "quantile",
            "mape",
            "poisson",
            "gamma",
            "tweedie",
        ),
        *("cross_entropy", "cross_entropy_lambda"),
    ],
)
def test_every_objective_of_a_regressor(objective: str) -> None:
    table, truth = data()
    fitted = model("Regressor", objective=objective).fit(table, truth / 3 + 0.1)
    assert_same(fitted, beside_thresholds(fitted, table, 2_000))


def test_square_roots_are_squared_with_their_sign() -> None:
    table, truth = data()
    fitted = model("Regressor", reg_sqrt=True).fit(table, 100.0 * truth - 90)
    assert fitted.predict(table).min() < 0 < fitted.predict(table).max()
    assert_same(fitted, beside_thresholds(fitted, table, 2_000))


def test_early_stopping_leaves_out_what_came_after_the_best() -> None:
    table, truth = data()
    fitted = model("Classifier", n_estimators=50)
    stop = lightgbm.early_stopping(4, verbose=False)
    held_out = (table[400:], truth[399::-1][:200])
    fitted.fit(table[:400], truth[:400], eval_set=[held_out], callbacks=[stop])
    assert 0 < fitted.best_iteration_ < 50
    assert forest_of(fitted).n_trees == fitted.best_iteration_ * 3
    assert_same(fitted, beside_thresholds(fitted, table, 2_000))


@pytest.mark.parametrize(
    "parameters",
    [
        {"max_cat_to_onehot": 100},
        SETS,
        {**SETS, "zero_as_missing": True},
        {**SETS, "use_missing": False},
    ],
    ids=["one category", "sets", "sets, zero is missing", "sets, nothing is missing"],
)
@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_native_categories_with_codes_never_seen(
    kind: str, parameters: dict[str, Any], dtype: type
) -> None:
    table, truth = data()
    fitted = model(kind, **parameters)
    fitted.fit(table.astype(dtype), truth, categorical_feature=list(CATEGORICAL))
    assert forest_of(fitted).inner[forest_of(fitted).feature == 3].any()
    assert_same(fitted, with_odd_codes(beside_thresholds(fitted, table.astype(dtype), 10_000)))


def test_categories_of_a_data_frame_by_code_and_as_they_stand() -> None:
    table, truth = data()
    frame = frame_of(table)
    fitted = model("Classifier", **SETS).fit(frame, truth)
    by_code = {name: frame[name].cat.codes for name in ("kind", "grade")}
    codes = frame.assign(**by_code).to_numpy(np.float32)
    codes[codes[:, 1] < 0, 1] = np.nan
    np.testing.assert_array_equal(fitted.predict_proba(codes), fitted.predict_proba(frame))
    assert_same_answers(fitted, codes)
    assert_same_of_frame(fitted, frame)
    assert_same_of_frame(fitted, in_another_order(frame))
    assert_same_of_frame(fitted, with_categories_never_seen(frame))


def test_ordered_categories_are_refused() -> None:
    table, truth = data()
    frame = frame_of(table)
    frame["grade"] = frame["grade"].cat.as_ordered()
    fitted = model("Classifier").fit(frame, truth)
    with pytest.raises(UnsupportedModelError, match=r"^LGBMClassifier: .*2 columns.* took 1 as such"):
        forest_of(fitted)


def test_infinities_go_where_they_went_in_training() -> None:
    table, truth = data()
    table[::5, 0], table[1::5, 1] = np.inf, -np.inf
    fitted = model("Regressor").fit(table, truth)
    assert_same(fitted, table)


def test_nothing_learnt_is_a_constant() -> None:
    table, truth = data()
    fitted = model("Classifier", min_child_samples=1000).fit(table, truth)
    assert not forest_of(fitted).inner.any()
    assert_same(fitted, table)


def test_linear_trees_are_refused() -> None:
    fitted = model("Regressor", linear_tree=True).fit(*data(missing=0.0))
    with pytest.raises(UnsupportedModelError, match=r"^LGBMRegressor: linear_tree=True.*Train without"):
        forest_of(fitted)


def test_an_objective_of_ones_own_is_refused() -> None:
    def squares(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return predicted - truth, np.ones_like(truth)

    fitted = model("Regressor", objective=squares).fit(*data())
    with pytest.raises(UnsupportedModelError, match=r"^LGBMRegressor: its objective, one of your own"):
        forest_of(fitted)


def test_a_prediction_that_stops_early_is_refused() -> None:
    table, truth = data()
    fitted = model("Classifier", pred_early_stop=True).fit(table, truth > 0)
    with pytest.raises(UnsupportedModelError, match=r"^LGBMClassifier: pred_early_stop"):
        forest_of(fitted)
