from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    RegressorChain,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from converter.lowering import catalogue, registry
from tests.converter.lowering.lowered import check

catalogue.load()
THREE = load_wine(return_X_y=True)
TWO = load_breast_cancer(return_X_y=True)
ROWS = StandardScaler().fit_transform(THREE[0])
BOTH = np.column_stack([THREE[1] == 1, THREE[0][:, 0] > 13]).astype(int)
MEMBERS = [LogisticRegression(), LinearSVC(random_state=0), GaussianNB()]


@pytest.mark.parametrize("data", [TWO, THREE], ids=["two classes", "three classes"])
@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("kind", [OneVsRestClassifier, OneVsOneClassifier])
def test_many_binary_classifiers_are_one(kind: Any, member: Any, data: Any) -> None:
    rows = StandardScaler().fit_transform(data[0])
    check(kind(member).fit(rows, data[1]), rows)


@pytest.mark.parametrize("member", MEMBERS)
def test_code_words(member: Any) -> None:
    model = OutputCodeClassifier(member, code_size=3, random_state=0).fit(ROWS, THREE[1])
    check(model, ROWS)


@pytest.mark.filterwarnings("ignore:Label .* is present in all training examples")
def test_a_label_that_every_row_has() -> None:
    labels = np.column_stack([BOTH, np.ones(len(ROWS), int)])
    model = OneVsRestClassifier(LogisticRegression()).fit(ROWS, labels)
    found = registry.scores(model, ROWS)
    assert np.array_equal(found.label, model.predict(ROWS))
    assert np.allclose(found.probabilities[:, :, 1], model.predict_proba(ROWS))


@pytest.mark.parametrize("order", [None, [1, 0]])
@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_chains_of_classifiers(method: str, order: Any) -> None:
    model = ClassifierChain(LogisticRegression(), order=order, chain_method=method).fit(ROWS, BOTH)
    found = registry.scores(model, ROWS)
    assert np.array_equal(found.label, model.predict(ROWS))
    np.testing.assert_allclose(found.probabilities[:, :, 1], model.predict_proba(ROWS), atol=1e-12)


def test_one_model_a_label_or_target() -> None:
    three = np.column_stack([THREE[1], BOTH])
    model = MultiOutputClassifier(LogisticRegression()).fit(ROWS, three)
    found = registry.scores(model, ROWS)
    assert np.array_equal(found.label, model.predict(ROWS))
    for label, chances in enumerate(model.predict_proba(ROWS)):
        np.testing.assert_allclose(found.probabilities[:, label, : chances.shape[1]], chances)
        assert (found.probabilities[:, label, chances.shape[1] :] == 0).all()
    rows, value = load_diabetes(return_X_y=True)
    both = np.column_stack([value, -value / 2])
    for member in (Ridge(), LinearRegression()):
        check(MultiOutputRegressor(member).fit(rows, both), rows)
        check(RegressorChain(member, order=[1, 0]).fit(rows, both), rows)
