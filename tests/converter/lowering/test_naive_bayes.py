"""Naive Bayes of numbers, counts, flags and categories."""

from typing import Any

import numpy as np
import pytest
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB

from converter.lowering import naive_bayes, registry
from edge_runtime.errors import UnsupportedModelError
from tests.converter.lowering.lowered import agree, check, computed, expected, in_onnx

RANDOM = np.random.default_rng(0)
TRAINED, ROWS = np.abs(RANDOM.normal(size=(80, 5))), np.abs(RANDOM.normal(size=(30, 5)))
CLASSES = np.array(["calm", "run", "walk"])[RANDOM.integers(0, 3, 80)]
CODES = RANDOM.integers(0, 4, size=(80, 3))


@pytest.mark.parametrize("parameters", [{}, {"priors": [0.2, 0.3, 0.5]}, {"var_smoothing": 0.1}])
def test_gaussian_agrees(parameters: dict[str, Any]) -> None:
    check(GaussianNB(**parameters).fit(TRAINED, CLASSES), ROWS)


def test_gaussian_of_features_far_from_zero() -> None:
    """Squares expanded around zero would lose eight digits here."""
    check(GaussianNB().fit(TRAINED + 1e5, CLASSES), ROWS + 1e5, tolerance=1e-12)


@pytest.mark.parametrize("widest", [0, 1000])
def test_gaussian_of_classes_far_from_each_other(widest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Squares expanded around any middle would lose eight digits here."""
    monkeypatch.setattr(naive_bayes, "_WIDEST", widest)
    shift = 1e4 * (CLASSES == "run")[:, None] * (np.arange(5) == 2)
    model = GaussianNB(var_smoothing=0).fit(TRAINED + shift, CLASSES)
    check(model, np.concatenate([ROWS, np.array([0, 0, 1e4, 0, 0]) + ROWS]), tolerance=1e-12)


@pytest.mark.parametrize("features", [3, 12, 50, 200])
def test_a_fit_in_float32_rounds_as_scikit_learn(features: int) -> None:
    """Of 200 features the likelihood has four digits behind the point: probabilities show that.

    The exponentials of a row may differ in their last bit, which one row in 500 sees in its sum.
    """
    rows = RANDOM.normal(size=(1200, features)).astype(np.float32)
    model = GaussianNB(var_smoothing=0.1).fit(rows[:200] * 3, RANDOM.integers(0, 3, 200))
    found, wanted = in_onnx(model, rows[200:]), expected(model, rows[200:])
    np.testing.assert_array_equal(found["label"], wanted["label"])
    error = np.abs(found["probabilities"] - wanted["probabilities"]).max(axis=1)
    assert np.mean(error > 1e-6) < 0.01


def test_a_fit_in_float32_keeps_its_constants() -> None:
    """scikit-learn sums the variances' logarithms in float32 then, whatever the rows are."""
    model = GaussianNB().fit(TRAINED.astype(np.float32), CLASSES)
    assert model.var_.dtype == np.float32
    agree(in_onnx(model, ROWS), expected(model, ROWS), 1e-12)


def test_rows_that_no_class_explains_still_have_a_probability() -> None:
    model = GaussianNB().fit(TRAINED, CLASSES)
    check(model, ROWS * 1e4)
    assert np.isfinite(computed(model, ROWS * 1e4)["probabilities"]).all()


@pytest.mark.parametrize("parameters", [{}, {"fit_prior": False}, {"alpha": 0.01}])
def test_multinomial_agrees(parameters: dict[str, Any]) -> None:
    check(MultinomialNB(**parameters).fit(TRAINED, CLASSES), ROWS)


@pytest.mark.parametrize("norm", [False, True])
def test_complement_agrees(norm: bool) -> None:
    check(ComplementNB(norm=norm).fit(TRAINED, CLASSES), ROWS)


def test_the_prior_of_a_single_class_counts() -> None:
    only = np.full(80, "calm")
    check(ComplementNB().fit(TRAINED, only), ROWS)
    check(MultinomialNB().fit(TRAINED, only), ROWS)


def test_bernoulli_agrees() -> None:
    check(BernoulliNB(binarize=0.3).fit(TRAINED, CLASSES), ROWS)
    check(BernoulliNB(binarize=None).fit(TRAINED > 0.5, CLASSES), (ROWS > 0.5) * 1.0)


def test_bernoullis_threshold_is_as_wide_as_the_row() -> None:
    """0.7 in float32 is below 0.7: a float32 row on it is not above, a float64 row is."""
    model = BernoulliNB(binarize=0.7).fit(TRAINED, CLASSES)
    on = np.full((1, 5), np.nextafter(np.float32(0.7), np.float32(1)), np.float32)
    below = np.full((1, 5), np.float32(0.7))
    for rows in (on, below, on.astype(np.float64), below.astype(np.float64)):
        np.testing.assert_allclose(
            computed(model, rows)["probabilities"], model.predict_proba(rows), rtol=1e-12
        )


def test_categorical_agrees() -> None:
    check(CategoricalNB().fit(CODES, CLASSES), CODES[:20])
    check(CategoricalNB(min_categories=6).fit(CODES, CLASSES), CODES[:20] + 2)


def test_categories_are_cut_to_whole_numbers() -> None:
    check(CategoricalNB().fit(CODES, CLASSES), CODES[:20] + 0.9)


@pytest.mark.parametrize("code", [-1.0, 4.0, 1e12])
def test_a_category_scikit_learn_raises_for_is_not_a_number(code: float) -> None:
    model = CategoricalNB().fit(CODES, CLASSES)
    row = np.array([[0.0, code, 0.0]])
    with pytest.raises((IndexError, ValueError)):
        model.predict(row)
    assert np.isnan(computed(model, row)["probabilities"]).all()


def test_a_probability_of_zero_is_refused() -> None:
    counts = np.array([[0, 1], [2, 0]])
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        model = MultinomialNB(alpha=0.0).fit(counts, [0, 1])
    with pytest.raises(UnsupportedModelError, match=r"^MultinomialNB with a probability of 0"):
        registry.scores(model, counts)
