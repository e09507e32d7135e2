"""Neighbours within a radius, and rows that have none."""

from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import (
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
    RadiusNeighborsTransformer,
)

from converter.lowering import radius, registry
from edge_runtime.errors import UnsupportedModelError
from tests.converter.lowering.lowered import check, computed, expected

RANDOM = np.random.default_rng(0)
TRAINED, ROWS = RANDOM.normal(size=(90, 3)), RANDOM.normal(size=(30, 3))
ROWS[:4], ROWS[4:6] = TRAINED[:4], 50.0
CLASSES = np.array(["calm", "run", "walk"])[RANDOM.integers(0, 3, 90)]
LABELS = np.column_stack([RANDOM.integers(0, 3, 90), RANDOM.integers(0, 2, 90)])
VALUES = RANDOM.normal(size=(90, 2))
pytestmark = pytest.mark.filterwarnings("ignore:One or more samples have no neighbors")
assert radius


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("metric", [{}, {"p": 1}, {"p": 3}, {"metric": "chebyshev"}], ids=str)
def test_votes_and_means_agree(weights: str, metric: dict[str, Any]) -> None:
    given = {"radius": 1.0, "weights": weights, **metric}
    check(RadiusNeighborsClassifier(outlier_label="run", **given).fit(TRAINED, CLASSES), ROWS)
    check(RadiusNeighborsRegressor(**given).fit(TRAINED, VALUES[:, 0]), ROWS)


def test_several_labels_and_several_targets_agree() -> None:
    model = RadiusNeighborsClassifier(1.0, outlier_label="most_frequent").fit(TRAINED, LABELS)
    check(model, ROWS)
    check(RadiusNeighborsClassifier(1.0, outlier_label=[2, 0]).fit(TRAINED, LABELS), ROWS)
    check(RadiusNeighborsRegressor(1.0).fit(TRAINED, VALUES), ROWS)


def test_a_point_on_the_radius_is_within() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), axis=-1).reshape(-1, 3) * 0.1 + 5
    target = np.arange(len(grid), dtype=np.float64)
    for radius_of in (0.1, 0.2, 0.1 * np.sqrt(2)):
        check(RadiusNeighborsRegressor(radius_of).fit(grid, target), grid)


def test_places_on_a_globe() -> None:
    model = RadiusNeighborsRegressor(0.3, metric="haversine")
    check(model.fit(TRAINED[:, :2], VALUES), ROWS[:, :2])


def test_a_mean_of_no_values_is_not_a_number() -> None:
    model = RadiusNeighborsRegressor(1.0).fit(TRAINED, VALUES[:, 0])
    assert np.isnan(computed(model, ROWS[4:6])["value"]).all()


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
def test_of_whole_numbers_scikit_learn_makes_the_least_of_none() -> None:
    model = RadiusNeighborsRegressor(1.0).fit(TRAINED, LABELS[:, 0])
    assert expected(model, ROWS[4:6])["value"][0] == computed(model, ROWS[4:6])["value"][0]


@pytest.mark.parametrize("mode", ["distance", "connectivity"])
def test_the_graph_of_neighbours_agrees(mode: str) -> None:
    check(RadiusNeighborsTransformer(mode=mode, radius=1.0).fit(TRAINED), ROWS)


def test_a_classifier_must_know_what_to_say_of_a_row_without_neighbours() -> None:
    model = RadiusNeighborsClassifier(1.0).fit(TRAINED, CLASSES)
    with registry.recording() as made:
        registry.scores(model, np.concatenate([ROWS[:1] * 0 + TRAINED[0], ROWS[:1] + 1e6]))
    ((alone, why),) = made.refusals
    assert alone.tolist() == [False, True]
    assert why == "RadiusNeighborsClassifier: no training row is within the radius"
    model = RadiusNeighborsClassifier(1.0, outlier_label="none").fit(TRAINED, CLASSES)
    with pytest.raises(UnsupportedModelError, match="which is none of its classes"):
        registry.scores(model, ROWS)
