"""Outlier detectors: the same rows stand out, by the same score."""

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.covariance import EllipticEnvelope
from sklearn.datasets import load_wine
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import SGDOneClassSVM
from sklearn.neighbors import LocalOutlierFactor

from converter.lowering import outliers
from tests.converter.lowering.lowered import check, computed, in_onnx

_RNG = np.random.default_rng(0)
ROWS = _RNG.normal(size=(101, 4)) * [1.0, 2.0, 0.5, 1.0]
NEW = _RNG.normal(size=(200, 4)) * 3.0

DETECTORS = [
    EllipticEnvelope(random_state=0),
    EllipticEnvelope(assume_centered=True, store_precision=False, random_state=0),
    IsolationForest(n_estimators=20, random_state=0),
    IsolationForest(n_estimators=20, contamination=0.1, max_samples=40, random_state=0),
    IsolationForest(n_estimators=20, max_features=0.5, bootstrap=True, random_state=0),
    IsolationForest(n_estimators=1, max_samples=2, random_state=0),
    LocalOutlierFactor(novelty=True),
    LocalOutlierFactor(7, novelty=True, contamination=0.05, algorithm="brute"),
    LocalOutlierFactor(5, novelty=True, metric="manhattan"),
    LocalOutlierFactor(500, novelty=True, p=1.5),
    SGDOneClassSVM(random_state=0),
    SGDOneClassSVM(nu=0.1, fit_intercept=False, random_state=0),
]


@pytest.mark.parametrize("model", DETECTORS, ids=str)
def test_a_detector(model: Any) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_neighbors .500. is greater")
        model = clone(model).fit(ROWS)
    check(model, NEW)
    check(model, NEW[:1])


def test_real_rows() -> None:
    rows, _ = load_wine(return_X_y=True)
    check(IsolationForest(n_estimators=10, random_state=0).fit(rows), rows)
    check(LocalOutlierFactor(novelty=True).fit(rows), rows + 0.01)


def test_rows_at_the_threshold_of_an_isolation_forest_are_normal() -> None:
    """Of 101 rows the middle is a row's own score: it is normal, whoever adds up the trees."""
    for seed in range(3):
        model = IsolationForest(n_estimators=30, contamination=0.5, random_state=seed).fit(ROWS)
        scores = model.decision_function(ROWS)
        assert (np.abs(scores) < 1e-14).any()
        for answer in (computed, in_onnx):
            np.testing.assert_array_equal(answer(model, ROWS)["label"], model.predict(ROWS))


def test_the_features_that_a_tree_does_not_see_are_skipped() -> None:
    model = IsolationForest(n_estimators=15, max_features=1, random_state=3).fit(ROWS)
    first = [int(features[0]) for features in model.estimators_features_]
    assert len(set(first)) > 1
    check(model, NEW)


def test_trees_that_see_all_features_see_them_in_their_own_order() -> None:
    model = IsolationForest(n_estimators=15, random_state=3).fit(ROWS)
    model.estimators_features_ = [features[::-1] for features in model.estimators_features_]
    check(model, NEW)


def test_missing_and_infinite_numbers_in_an_isolation_forest() -> None:
    rows = NEW.copy()
    rows[::3, 0] = np.nan
    rows[1::3, 1] = np.nan
    rows[:, 3] = np.where(rows[:, 3] > 2, 1e30, rows[:, 3])
    check(IsolationForest(n_estimators=20, random_state=0).fit(ROWS), rows)


def test_trees_of_one_row_have_no_depth() -> None:
    check(IsolationForest(n_estimators=3, random_state=0).fit(ROWS[:1]), NEW[:4])


@pytest.mark.parametrize("n_trees", [1, 100, 3000])
def test_depths_in_parts_lose_nothing(n_trees: int) -> None:
    """Sums of float32 parts are exact, the last part is beyond float64."""
    values = _RNG.uniform(0.0, 30.0, size=(n_trees, 1))
    parts = outliers._in_float32_parts(values, n_trees)
    sums = parts.sum(axis=0)
    np.testing.assert_array_equal(sums[:2], sums[:2].astype(np.float32))
    assert abs(sums.astype(np.float32).astype(np.float64).sum() - values.sum()) < 1e-14 * values.sum()


def test_rows_that_are_training_rows_many_times_over() -> None:
    """A density without end, but for what scikit-learn adds to the distance."""
    rows = np.concatenate([np.repeat(ROWS[:1], 9, axis=0), ROWS])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Duplicate values are leading")
        model = LocalOutlierFactor(5, novelty=True).fit(rows)
    check(model, ROWS[:1])
