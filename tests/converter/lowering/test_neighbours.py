"""Nearest neighbours: votes and means, plain and by distance, under every metric."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    KNeighborsTransformer,
    NearestCentroid,
    NeighborhoodComponentsAnalysis,
)

from converter.lowering import neighbours, registry
from edge_runtime.errors import UnsupportedModelError
from tests.converter.lowering.lowered import check, computed

RANDOM = np.random.default_rng(0)
TRAINED = RANDOM.normal(size=(120, 4)).astype(np.float32).astype(np.float64) + 5
ROWS = RANDOM.normal(size=(40, 4)).astype(np.float32).astype(np.float64) + 5
ROWS[:6] = TRAINED[:6]
CLASSES = np.array(["calm", "run", "walk"])[RANDOM.integers(0, 3, 120)]
LABELS = np.column_stack([RANDOM.integers(0, 3, 120), RANDOM.integers(5, 7, 120)])
VALUES = RANDOM.normal(size=(120, 2))
METRICS: list[dict[str, Any]] = [
    {"p": 2}, {"p": 1}, {"p": 3}, {"p": 1.5}, {"metric": "chebyshev"}, {"metric": "cosine"},
    {"metric": "sqeuclidean"}, {"metric_params": {"w": np.array([1.0, 2.0, 3.0, 0.5])}},
]  # fmt: skip


@pytest.mark.parametrize("metric", METRICS, ids=str)
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.filterwarnings("ignore:Parameter")
def test_classification_and_regression_agree(weights: str, metric: dict[str, Any]) -> None:
    check(KNeighborsClassifier(weights=weights, **metric).fit(TRAINED, CLASSES), ROWS)
    check(KNeighborsRegressor(weights=weights, **metric).fit(TRAINED, VALUES[:, 0]), ROWS)


@pytest.mark.parametrize("algorithm", ["ball_tree", "kd_tree", "brute"])
def test_however_scikit_learn_searches(algorithm: str) -> None:
    check(KNeighborsClassifier(algorithm=algorithm).fit(TRAINED, CLASSES), ROWS)
    check(KNeighborsRegressor(algorithm=algorithm).fit(TRAINED, VALUES), ROWS)


@pytest.mark.parametrize("weights", ["uniform", "distance", None])
def test_several_labels_and_several_targets_agree(weights: str | None) -> None:
    check(KNeighborsClassifier(weights=weights).fit(TRAINED, LABELS), ROWS)
    check(KNeighborsRegressor(weights=weights).fit(TRAINED, VALUES), ROWS)


def test_a_row_that_is_a_training_row_hears_only_that_one() -> None:
    model = KNeighborsClassifier(weights="distance").fit(TRAINED, CLASSES)
    assert (computed(model, TRAINED)["label"] == CLASSES).all()
    assert (computed(model, TRAINED)["probabilities"].max(axis=1) == 1.0).all()


def test_votes_that_tie_go_to_the_first_class() -> None:
    model = KNeighborsClassifier(2).fit(np.array([[0.0], [1.0], [9.0]]), ["b", "a", "c"])
    check(model, np.array([[0.25], [0.75]]))


def test_all_training_rows_as_neighbours() -> None:
    check(KNeighborsClassifier(120).fit(TRAINED, CLASSES), ROWS)
    check(KNeighborsRegressor(120, weights="distance").fit(TRAINED, VALUES), ROWS[6:])


def test_neighbours_that_an_expansion_cannot_tell_apart_keep_their_order() -> None:
    """A far point puts the centre away from a crowd that lies within 1e-6."""
    crowd = np.concatenate([RANDOM.normal(size=(50, 3)) * 1e-6, np.full((1, 3), 1e3)])
    target = np.arange(51.0)
    check(KNeighborsRegressor(1).fit(crowd, target), crowd + 1e-9)


def test_iris_on_its_grid_of_tenths() -> None:
    rows, truth = load_iris(return_X_y=True)
    rows = rows.astype(np.float32)
    check(KNeighborsClassifier(3).fit(rows[::2], truth[::2]), rows[1::2])


def test_places_on_a_globe() -> None:
    places, asked = RANDOM.uniform(-1.5, 1.5, (120, 2)), RANDOM.uniform(-1.5, 1.5, (30, 2))
    model = KNeighborsRegressor(metric="haversine", weights="distance")
    check(model.fit(places, VALUES), np.concatenate([asked, places[:3]]))


def test_distances_given_as_input() -> None:
    def between(rows: np.ndarray) -> np.ndarray:
        return np.abs(rows[:, None, :] - TRAINED).sum(axis=2)

    model = KNeighborsClassifier(metric="precomputed", weights="distance")
    check(model.fit(between(TRAINED), CLASSES), between(ROWS[6:]), tolerance=1e-9)


@pytest.mark.parametrize("mode", ["distance", "connectivity"])
def test_the_graph_of_neighbours_agrees(mode: str) -> None:
    check(KNeighborsTransformer(mode=mode, n_neighbors=4).fit(TRAINED), ROWS)


def test_weights_and_metrics_of_the_authors_own_are_refused() -> None:
    weighted = KNeighborsClassifier(weights=lambda d: np.exp(-d)).fit(TRAINED, CLASSES)
    with pytest.raises(UnsupportedModelError, match=r"^KNeighborsClassifier with weights by a function"):
        registry.scores(weighted, ROWS)
    odd = KNeighborsRegressor(metric="canberra").fit(TRAINED, VALUES)
    with pytest.raises(UnsupportedModelError, match=r"^KNeighborsRegressor with the metric 'canberra'"):
        registry.value(odd, ROWS)


@pytest.mark.parametrize("parameters", [
    {}, {"shrink_threshold": 0.3}, {"priors": "empirical"}, {"priors": [0.2, 0.3, 0.5]},
    {"metric": "manhattan"}, {"metric": "manhattan", "priors": "empirical"},
], ids=str)  # fmt: skip
def test_nearest_centroid_agrees(parameters: dict[str, Any]) -> None:
    check(NearestCentroid(**parameters).fit(TRAINED, CLASSES), ROWS)


def test_nearest_centroid_of_two_classes_with_a_constant_column() -> None:
    trained, rows = TRAINED.copy(), ROWS.copy()
    trained[:, 2] = rows[:, 2] = 7.0
    with pytest.warns(UserWarning, match="zero standard deviation"):
        model = NearestCentroid(priors="empirical").fit(trained, CLASSES == "run")
    check(model, rows)


def test_neighborhood_components_analysis_agrees() -> None:
    step = NeighborhoodComponentsAnalysis(2, max_iter=5, random_state=0)
    check(step.fit(TRAINED, CLASSES), ROWS)
    assert neighbours.one_hot(np.array([1]), 3).tolist() == [[0.0, 1.0, 0.0]]
