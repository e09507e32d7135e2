"""Perceptrons: every activation, every kind of output."""

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

import converter.lowering.neural  # noqa: F401 -- registers what is tested
from tests.converter.lowering.lowered import agree, check, computed, expected, in_onnx

_RNG = np.random.default_rng(0)
ROWS = _RNG.normal(size=(80, 4))
VALUES = np.abs(ROWS).sum(axis=1)
SHORT = {"max_iter": 15, "random_state": 0}
ACTIVATIONS = ["identity", "logistic", "tanh", "relu"]


def fitted(model: Any, rows: Any, truth: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(rows, truth)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layers", [(), (7,), (6, 5)], ids=str)
def test_one_value(activation: str, layers: tuple[int, ...]) -> None:
    check(
        fitted(MLPRegressor(hidden_layer_sizes=layers, activation=activation, **SHORT), ROWS, VALUES),
        ROWS,
    )


def test_several_values_and_positive_ones() -> None:
    check(
        fitted(MLPRegressor(hidden_layer_sizes=5, **SHORT), ROWS, np.column_stack([VALUES, -VALUES])),
        ROWS,
    )
    model = fitted(MLPRegressor(hidden_layer_sizes=5, loss="poisson", **SHORT), ROWS, VALUES)
    assert model.out_activation_ == "exp"
    check(model, ROWS)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("classes", [2, 3])
def test_classes(activation: str, classes: int) -> None:
    truth = np.array(["c", "a", "b"])[np.digitize(VALUES, [2.5, 3.5])[:, None] % classes].ravel()
    model = fitted(MLPClassifier((6, 4), activation, **SHORT), ROWS, truth)
    check(model, ROWS)
    check(model, ROWS * 1e3)


def test_a_score_of_exactly_0_is_the_first_class() -> None:
    model = fitted(MLPClassifier((), **SHORT), ROWS, VALUES > 3)
    model.intercepts_[0][:] = 0.0
    assert not computed(model, np.zeros((1, 4)))["label"][0]
    check(model, np.zeros((1, 4)))


def test_a_single_class_is_always_the_answer() -> None:
    check(fitted(MLPClassifier(3, **SHORT), ROWS, np.full(80, "only")), ROWS)


def test_several_labels_each_above_one_half() -> None:
    rows, labels = make_multilabel_classification(60, 5, n_classes=3, random_state=0)
    model = fitted(MLPClassifier(8, **SHORT), rows, labels)
    wanted = expected(model, rows)
    likely = wanted["probabilities"]  # of the label alone, where others give those of both its classes
    wanted["probabilities"] = np.stack([1 - likely, likely], axis=2)
    for answer in (computed, in_onnx):
        agree(answer(model, rows), wanted, 1e-12)


def test_a_network_fitted_on_float32() -> None:
    model = fitted(
        MLPRegressor(hidden_layer_sizes=5, **SHORT), ROWS.astype(np.float32), VALUES.astype(np.float32)
    )
    assert model.coefs_[0].dtype == np.float32
    check(model, ROWS)
