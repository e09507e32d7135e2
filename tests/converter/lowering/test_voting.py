from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    RandomForestClassifier,
    RandomTreesEmbedding,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from converter.lowering import catalogue, registry
from edge_runtime.errors import UnsupportedModelError
from tests.converter.lowering.lowered import check, computed

catalogue.load()
THREE = load_wine(return_X_y=True)
TWO = load_breast_cancer(return_X_y=True)
VALUES = load_diabetes(return_X_y=True)
SOFT = [("logistic", LogisticRegression()), ("bayes", GaussianNB())]
HARD = [
    ("svm", LinearSVC(random_state=0)),
    ("tree", DecisionTreeClassifier(max_depth=3, random_state=0)),
]
NUMBERS = [("ridge", Ridge()), ("tree", DecisionTreeRegressor(max_depth=4, random_state=0))]
# What adds trees' answers, rounded to float32 one by one, comes this close.
OF_TREES = 1e-6


def held(model: Any, data: tuple[np.ndarray, np.ndarray], **tolerance: float) -> None:
    rows, truth = data
    rows = StandardScaler().fit_transform(rows)
    check(model.fit(rows[::2], truth[::2]), rows[1::2], **tolerance)


@pytest.mark.parametrize("data", [TWO, THREE], ids=["two classes", "three classes"])
@pytest.mark.parametrize(
    "model",
    [
        VotingClassifier(SOFT, voting="soft"),
        VotingClassifier(SOFT, voting="soft", weights=[1, 3]),
        VotingClassifier([*SOFT, *HARD], voting="hard"),
        VotingClassifier(HARD, voting="hard", weights=[2, 1]),
        VotingClassifier([*SOFT, ("gone", "drop")], voting="soft", weights=[1, 2, 9]),
    ],
)
def test_votes(model: Any, data: Any) -> None:
    held(model, data)


@pytest.mark.parametrize("weights", [None, [1, 4]])
def test_means_of_regressors(weights: Any) -> None:
    held(VotingRegressor(NUMBERS, weights=weights), VALUES, tolerance=OF_TREES)


@pytest.mark.parametrize("data", [TWO, THREE], ids=["two classes", "three classes"])
@pytest.mark.parametrize("method", ["auto", "predict"])
@pytest.mark.parametrize("passthrough", [False, True])
def test_a_stack(method: str, passthrough: bool, data: Any) -> None:
    model = StackingClassifier([*SOFT, *HARD], cv=3, stack_method=method, passthrough=passthrough)
    held(model, data, tolerance=OF_TREES)
    held(StackingRegressor(NUMBERS, cv=3, passthrough=passthrough), VALUES, tolerance=OF_TREES)


@pytest.mark.parametrize("data", [TWO, THREE], ids=["two classes", "three classes"])
@pytest.mark.parametrize("inner", [LogisticRegression(), LinearSVC(random_state=0), None])
def test_bagging_with_columns_of_its_own_for_each_member(inner: Any, data: Any) -> None:
    some = {"max_features": 0.6, "bootstrap_features": True, "random_state": 0}
    held(BaggingClassifier(inner, n_estimators=5, max_samples=0.3, **some), data, tolerance=OF_TREES)
    held(BaggingRegressor(n_estimators=5, **some), VALUES, tolerance=OF_TREES)


def test_bagging_whose_members_have_not_seen_every_class() -> None:
    rows, truth = THREE
    model = BaggingClassifier(KNeighborsClassifier(1), n_estimators=8, max_samples=3, random_state=0)
    model.fit(rows, truth)
    assert any(len(member.classes_) < 3 for member in model.estimators_)
    check(model, rows, tolerance=OF_TREES)


@pytest.mark.parametrize("data", [TWO, THREE], ids=["two classes", "three classes"])
def test_adaboost(data: Any) -> None:
    inner = DecisionTreeClassifier(max_depth=2, random_state=0)
    held(AdaBoostClassifier(inner, n_estimators=12, random_state=0), data)
    named = data[0], np.array(["b", "c", "a"])[data[1]]
    held(AdaBoostClassifier(inner, n_estimators=5, random_state=0), named)
    held(AdaBoostRegressor(n_estimators=12, random_state=0), VALUES, tolerance=OF_TREES)


@pytest.mark.parametrize("data", [TWO, THREE], ids=["two classes", "three classes"])
@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
@pytest.mark.parametrize("inner", [LinearSVC(random_state=0), MLPClassifier((3,), max_iter=9), SVC()])
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_calibration(inner: Any, method: str, data: Any) -> None:
    held(
        CalibratedClassifierCV(inner, method=method, cv=3), data, tolerance=1e-8, float32_tolerance=1e-4
    )


def test_calibration_of_trees() -> None:
    inner = RandomForestClassifier(5, random_state=0)
    held(CalibratedClassifierCV(inner, cv=3, ensemble=False), THREE, tolerance=OF_TREES)


def test_leaves_as_columns() -> None:
    rows, _ = THREE
    check(RandomTreesEmbedding(7, max_depth=3, random_state=0).fit(rows), rows)


def test_what_voters_hand_on_as_a_step() -> None:
    rows, truth = StandardScaler().fit_transform(THREE[0]), THREE[1]
    soft = VotingClassifier(SOFT, voting="soft").fit(rows, truth)
    hard = VotingClassifier(SOFT, voting="hard").fit(rows, truth)
    for model in (soft, hard, VotingRegressor(NUMBERS).fit(*VALUES)):
        given = VALUES[0] if isinstance(model, VotingRegressor) else rows
        found = computed(model, given, "transform")["transform"]
        np.testing.assert_allclose(found, model.transform(given), atol=1e-6 * np.abs(found).max())
    soft.flatten_transform = False
    with pytest.raises(UnsupportedModelError, match=r"^VotingClassifier with flatten_transform=False"):
        registry.transform(soft, rows)


def test_class_names_cannot_be_the_numbers_of_the_next_step() -> None:
    rows, truth = THREE
    stack = StackingClassifier(HARD, cv=3, stack_method="predict")
    stack.fit(rows, truth)
    stack.estimators_ = [
        member.fit(rows, np.array(["a", "b", "c"])[truth]) for member in stack.estimators_
    ]
    with pytest.raises(UnsupportedModelError, match=r"LinearSVC's class names .*Encode the labels"):
        registry.scores(stack, rows)
