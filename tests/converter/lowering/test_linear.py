"""Linear models: scikit-learn's own numbers, from float64 and from float32 rows."""

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn import linear_model
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_iris, make_classification, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    GammaRegressor,
    HuberRegressor,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    PoissonRegressor,
    RANSACRegressor,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)

from converter.lowering import linear, registry
from tests.converter.lowering.lowered import check, computed

_RNG = np.random.default_rng(0)
ROWS = _RNG.normal(size=(120, 5))
VALUES = ROWS @ [1.5, -2.0, 0.0, 0.5, 3.0] + _RNG.normal(size=120) * 0.1
TARGETS = np.column_stack([VALUES, ROWS[:, 0] - 1.0, ROWS.sum(axis=1)])
THREE = np.digitize(VALUES, [-2.0, 2.0])
TWO = np.where(VALUES > 0, "yes", "no")
MULTI_TASK = [name for name in linear._LINEAR_REGRESSORS if name.startswith("MultiTask")]


def fitted(model: Any, rows: Any, truth: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(rows, truth)


def made(name: str, **arguments: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # two are deprecated
        return getattr(linear_model, name)(**arguments)


@pytest.mark.parametrize("name", [n for n in linear._LINEAR_REGRESSORS if n not in MULTI_TASK])
def test_a_linear_regressor_of_one_target(name: str) -> None:
    check(fitted(made(name), ROWS, VALUES), ROWS)


_SEVERAL_TARGETS = [
    *MULTI_TASK, "Lars", "Lasso", "LassoLars", "ElasticNet", "LinearRegression",
    "OrthogonalMatchingPursuit", "Ridge", "RidgeCV",
]  # fmt: skip


@pytest.mark.parametrize("name", _SEVERAL_TARGETS)
def test_a_linear_regressor_of_three_targets(name: str) -> None:
    model = fitted(made(name), ROWS, TARGETS)
    assert registry.value(model, ROWS[:7]).shape == (7, 3)
    check(model, ROWS)


def test_one_target_given_as_a_column_is_answered_as_a_column() -> None:
    model = LinearRegression().fit(ROWS, VALUES[:, None])
    assert registry.value(model, ROWS).shape == (120, 1)
    check(model, ROWS)


@pytest.mark.parametrize("model", [Ridge(fit_intercept=False), LinearRegression(positive=True)])
def test_settings_of_fit_are_in_the_coefficients(model: Any) -> None:
    check(model.fit(ROWS, VALUES), ROWS[:1])


def test_sparse_coefficients() -> None:
    model = SGDRegressor(penalty="l1", alpha=0.1, random_state=0).fit(ROWS, VALUES).sparsify()
    check(model, ROWS)


def test_a_model_fitted_on_float32_keeps_float32_coefficients() -> None:
    model = Ridge().fit(ROWS.astype(np.float32), VALUES.astype(np.float32))
    assert model.coef_.dtype == np.float32
    check(model, ROWS)


def test_of_numbers_far_from_zero_nothing_is_lost() -> None:
    """In float32 alone the product would lose about a tenth of the answer's spread."""
    rows = ROWS * 1e-3 + 1e3
    check(LinearRegression().fit(rows, VALUES), rows, float32_tolerance=1e-9)


@pytest.mark.parametrize(
    "model",
    [
        PoissonRegressor(),
        GammaRegressor(),
        TweedieRegressor(power=0),
        TweedieRegressor(power=1.5),
        TweedieRegressor(power=0, link="log"),
        TweedieRegressor(power=1, link="identity", alpha=100.0),
    ],
    ids=str,
)
def test_a_generalized_linear_model_inverts_its_link(model: Any) -> None:
    check(fitted(model, ROWS, np.exp(VALUES / 4)), ROWS)


@pytest.mark.parametrize("inner", [None, HuberRegressor()], ids=str)
def test_a_consensus_answers_as_its_regressor(inner: Any) -> None:
    truth = VALUES.copy()
    truth[:9] = 50.0
    check(RANSACRegressor(inner, min_samples=20, random_state=0).fit(ROWS, truth), ROWS)


CLASSIFIERS = [
    LogisticRegression(),
    LogisticRegression(C=1e4, fit_intercept=False),
    LogisticRegressionCV(Cs=2, cv=2, l1_ratios=(0.0,), scoring="accuracy", use_legacy_attributes=False),
    Perceptron(),
    RidgeClassifier(),
    RidgeClassifier(class_weight="balanced"),
    RidgeClassifierCV(),
    SGDClassifier(random_state=0),
    SGDClassifier(loss="log_loss", average=True, random_state=0),
    SGDClassifier(loss="modified_huber", random_state=0),
    SGDClassifier(loss="huber", random_state=0),
    "PassiveAggressiveClassifier",
]


@pytest.mark.parametrize("truth", [TWO, THREE], ids=["two classes", "three classes"])
@pytest.mark.parametrize("model", CLASSIFIERS, ids=str)
def test_a_linear_classifier(model: Any, truth: Any) -> None:
    model = made(model) if isinstance(model, str) else clone(model)
    check(fitted(model, ROWS, truth), ROWS)


def test_two_classes_by_liblinear() -> None:
    check(LogisticRegression(solver="liblinear").fit(ROWS, TWO), ROWS)


def test_probabilities_of_extreme_scores_stay_numbers() -> None:
    for truth in (TWO, THREE):
        check(fitted(LogisticRegression(C=1e6), ROWS, truth), ROWS * 1e4)
        check(SGDClassifier(loss="log_loss", random_state=0).fit(ROWS, truth), ROWS * 1e4)


@pytest.mark.parametrize("loss", ["log_loss", "modified_huber"])
def test_a_row_that_no_class_claims_has_them_all_alike(loss: str) -> None:
    model = SGDClassifier(loss=loss, random_state=0).fit(ROWS, THREE)
    model.coef_, model.intercept_ = np.zeros_like(model.coef_), np.full(3, -1000.0)
    np.testing.assert_array_equal(registry.scores(model, ROWS[:2]).probabilities, np.full((2, 3), 1 / 3))
    check(model, ROWS[:2])


def test_shares_of_classes_of_which_none_is_likely() -> None:
    """e^-30 of e^-30 + e^-31 + e^-40; ONNX Runtime's own Sigmoid is 0 for all three."""
    model = SGDClassifier(loss="log_loss", random_state=0).fit(ROWS, THREE)
    model.coef_, model.intercept_ = np.zeros_like(model.coef_), np.array([-31.0, -30.0, -40.0])
    check(model, ROWS[:2])


def test_of_equal_scores_the_first_class_and_of_a_score_of_0_too() -> None:
    several = LogisticRegression().fit(ROWS, THREE)
    several.coef_[1] = several.coef_[0]
    several.intercept_[:] = 0.0
    check(several, np.zeros((1, 5)))
    check(several, ROWS)
    pair = LogisticRegression(fit_intercept=False).fit(ROWS, TWO)
    assert computed(pair, np.zeros((1, 5)))["label"] == ["no"]
    check(pair, np.zeros((1, 5)))
    check(RidgeClassifier(fit_intercept=False).fit(ROWS, TWO), np.zeros((1, 5)))
    check(RidgeClassifier(fit_intercept=False).fit(ROWS, TARGETS > 0), np.zeros((1, 5)))


@pytest.mark.parametrize("model", [RidgeClassifier(), RidgeClassifierCV()], ids=str)
def test_several_labels_of_a_ridge_classifier(model: Any) -> None:
    rows, labels = make_multilabel_classification(90, 6, n_classes=4, random_state=0)
    model = clone(model).fit(rows, labels)
    assert registry.scores(model, rows).label.shape == (90, 4)
    check(model, rows)


def test_rows_of_real_data_and_of_many_classes() -> None:
    rows, truth = load_iris(return_X_y=True)
    check(LogisticRegression(max_iter=1000).fit(rows, truth), rows)
    rows, truth = make_classification(200, 12, n_informative=8, n_classes=7, random_state=0)
    check(RidgeClassifier().fit(rows, truth), rows)


def test_every_linear_model_of_the_package_is_known() -> None:
    names = [n for n in linear_model.__all__ if isinstance(getattr(linear_model, n), type)]
    models = [made(name) for name in names if name != "SGDOneClassSVM"]
    assert len(models) > 35
    for model in models:
        assert registry.knows("scores" if is_classifier(model) else "value", model), model
