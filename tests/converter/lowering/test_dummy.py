"""Models that look at no feature answer every row alike."""

from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor

import converter.lowering.dummy  # noqa: F401 -- registers what is tested
from converter.lowering import registry
from converter.lowering.table import Table
from tests.converter.lowering.lowered import check

ROWS = np.array([[1.0, np.nan], [np.inf, 2.0], [0.0, 0.0]])
NAMES = np.array(["b", "c", "b"])
PAIRS = np.array([[1, 7], [3, 7], [3, 9]])
TRIPLES = np.array([[1, 7], [3, 7], [5, 9]])  # three classes of the one, two of the other


@pytest.mark.parametrize("strategy", ["mean", "median", "quantile", "constant"])
@pytest.mark.parametrize(
    "targets", [np.array([1.0, 2.0, 6.0]), np.array([[1, 5], [2, 5], [6, 8]])], ids=["one", "two"]
)
def test_a_constant_value(strategy: str, targets: Any) -> None:
    arguments = {
        "quantile": {"quantile": 0.7},
        "constant": {"constant": 4.0 * np.ones(targets.shape[1:])},
    }
    check(DummyRegressor(strategy=strategy, **arguments.get(strategy, {})).fit(ROWS, targets), ROWS)


@pytest.mark.parametrize("strategy", ["most_frequent", "prior"])
@pytest.mark.parametrize("truth", [NAMES, np.array([1, 0, 2]), np.zeros(3), PAIRS, TRIPLES], ids=repr)
def test_the_most_frequent_class(strategy: str, truth: Any) -> None:
    check(DummyClassifier(strategy=strategy).fit(ROWS, truth), ROWS)


@pytest.mark.parametrize(
    ("truth", "constant"),
    [(NAMES, "c"), (NAMES, ["c"]), (PAIRS[:, 0], 3), (PAIRS, [1, 9]), (TRIPLES, np.array([5, 7]))],
    ids=repr,
)
def test_a_constant_class(truth: Any, constant: Any) -> None:
    model = DummyClassifier(strategy="constant", constant=constant).fit(ROWS, truth)
    check(model, ROWS)


def test_rows_of_texts_are_rows_too() -> None:
    model = DummyClassifier().fit(ROWS, NAMES)
    texts = Table((np.array([["x", "y"], ["z", ""]], dtype=object),))
    np.testing.assert_array_equal(registry.scores(model, texts).label, [0, 0])
