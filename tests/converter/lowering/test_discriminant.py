"""Discriminant analysis: scikit-learn's scores and probabilities."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.covariance import OAS
from sklearn.datasets import load_iris, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis

import converter.lowering.discriminant  # noqa: F401 -- registers what is tested
from tests.converter.lowering.lowered import check

ROWS, THREE = load_wine(return_X_y=True)
TWO = np.where(THREE == 1, "b", "a")

MODELS = [
    LinearDiscriminantAnalysis(),
    LinearDiscriminantAnalysis("lsqr", shrinkage="auto"),
    LinearDiscriminantAnalysis("lsqr", covariance_estimator=OAS()),
    LinearDiscriminantAnalysis("eigen", n_components=1, shrinkage=0.3),
    QuadraticDiscriminantAnalysis(),
    QuadraticDiscriminantAnalysis(reg_param=0.2, store_covariance=True),
    QuadraticDiscriminantAnalysis(solver="eigen", shrinkage="auto"),
    QuadraticDiscriminantAnalysis(solver="eigen", covariance_estimator=OAS()),
]


@pytest.mark.parametrize("truth", [TWO, THREE], ids=["two classes", "three classes"])
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_scores_probabilities_and_labels(model: Any, truth: Any) -> None:
    check(clone(model).fit(ROWS, truth), ROWS)
    check(clone(model).fit(ROWS, truth), ROWS[:1])


@pytest.mark.parametrize("kind", [LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis])
def test_priors_that_are_given(kind: Any) -> None:
    rows, truth = load_iris(return_X_y=True)
    check(kind(priors=[0.6, 0.3, 0.1]).fit(rows, truth), rows)


@pytest.mark.parametrize("priors", [[0.0, 1.0], [0.0, 0.5, 0.5]])
def test_a_class_of_prior_0_is_never_chosen(priors: list[float]) -> None:
    rows, truth = load_iris(return_X_y=True)
    kept = truth < len(priors)
    model = QuadraticDiscriminantAnalysis().fit(rows[kept], truth[kept])
    model.priors_ = np.array(priors)
    with np.errstate(divide="ignore"):
        check(model, rows)


def test_far_from_every_class() -> None:
    for model in (LinearDiscriminantAnalysis(), QuadraticDiscriminantAnalysis()):
        check(model.fit(ROWS, THREE), np.concatenate([ROWS * 1e4, -ROWS]))
