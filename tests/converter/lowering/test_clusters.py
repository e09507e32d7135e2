"""Clusterers that place new rows: the same cluster and the same distances as scikit-learn."""

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import (
    DBSCAN,
    AffinityPropagation,
    Birch,
    BisectingKMeans,
    KMeans,
    MeanShift,
    MiniBatchKMeans,
)
from sklearn.datasets import load_iris, make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from converter.lowering import registry
from converter.lowering.clusters import cluster_labels
from tests.converter.lowering.lowered import agree, computed, expected, in_onnx

ROWS, _ = make_blobs(150, 4, centers=5, random_state=1)
NEW = np.random.default_rng(0).uniform(-12, 12, size=(300, 4))


def placed_alike(model: Any, rows: Any) -> None:
    """Labels and, where there are some, distances; of arrays and in ONNX, in float64 and in float32."""
    names = cluster_labels(model)
    for given in (rows, rows.astype(np.float32)):
        exact = given.astype(np.float64)
        for answer in (computed, in_onnx):
            found = answer(model, given, "scores")["label"]
            np.testing.assert_array_equal(names[found], model.predict(exact))
            if hasattr(model, "transform"):
                agree(answer(model, given, "transform"), expected(model, exact, "transform"), 1e-10)


@pytest.mark.parametrize(
    "model",
    [
        KMeans(5, n_init=1, random_state=0),
        KMeans(1),
        MiniBatchKMeans(4, n_init=1, random_state=0),
        MeanShift(bandwidth=3.0),
        MeanShift(bandwidth=3.0, cluster_all=False),
        AffinityPropagation(random_state=0),
        Birch(),
        Birch(threshold=2.0, n_clusters=None),
        Birch(n_clusters=DBSCAN(eps=2.0, min_samples=4)),
        BisectingKMeans(7, random_state=0),
        BisectingKMeans(12, bisecting_strategy="largest_cluster", random_state=0),
        BisectingKMeans(1),
    ],
    ids=str,
)
def test_new_rows_and_one_row(model: Any) -> None:
    model.fit(ROWS)
    placed_alike(model, NEW)
    placed_alike(model, NEW[:1])


def test_clusters_far_from_zero_and_close_to_one_another() -> None:
    """The plain expansion |x|² - 2 x·c + |c|² would lose all digits of these distances."""
    rows = ROWS * 1e-6 + 3e3
    model = KMeans(5, n_init=1, random_state=0).fit(ROWS * 1e-6)
    model.cluster_centers_ += 3e3
    away = np.sqrt(((rows[:, None, :] - model.cluster_centers_) ** 2).sum(axis=2))
    for answer in (computed, in_onnx):
        found = answer(model, rows, "scores")["label"]
        np.testing.assert_array_equal(found, away.argmin(axis=1))
        np.testing.assert_allclose(answer(model, rows, "transform")["transform"], away, rtol=1e-9)


def test_of_centres_at_the_same_distance_the_first() -> None:
    model = KMeans(2, n_init=1).fit(ROWS)
    model.cluster_centers_ = np.array([[1.0, 0, 0, 0], [-1.0, 0, 0, 0]])
    between = np.zeros((1, 4))
    assert model.predict(between) == [0]
    placed_alike(model, between)


def test_between_two_sides_of_a_bisection_the_left() -> None:
    corners = np.array([[2.0, 1.0], [2.0, -1.0], [-2.0, 1.0], [-2.0, -1.0]])
    model = BisectingKMeans(4, random_state=0).fit(corners)
    placed_alike(model, np.array([[0.0, 0.0], [0.0, 1.0], [2.0, 0.0]]))


def test_centres_found_in_float32() -> None:
    model = KMeans(3, n_init=1, random_state=0).fit(ROWS.astype(np.float32))
    found = computed(model, ROWS, "scores")["label"]
    np.testing.assert_array_equal(found, model.predict(ROWS.astype(np.float32)))


def test_a_bisection_of_rows_far_from_zero() -> None:
    rows, _ = load_iris(return_X_y=True)
    model = BisectingKMeans(6, random_state=3).fit(rows + 1000.0)
    np.testing.assert_array_equal(
        registry.scores(model, rows + 1000.0).label, model.predict(rows + 1000.0)
    )


def test_labels_of_birch_are_those_of_its_last_step() -> None:
    """A step that marks noise gives -1, which is then the first of the labels."""
    model = Birch(n_clusters=DBSCAN(eps=2.0, min_samples=4)).fit(ROWS)
    assert cluster_labels(model)[0] == -1
    noise = registry.scores(model, ROWS).label == 0
    np.testing.assert_array_equal(noise, model.predict(ROWS) == -1)
    assert noise.any()


def test_an_affinity_propagation_that_did_not_converge_answers_minus_1() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = AffinityPropagation(max_iter=1, random_state=0).fit(ROWS)
        assert model.cluster_centers_.shape[0] == 0
        placed_alike(model, NEW[:5])
    np.testing.assert_array_equal(cluster_labels(model), [-1])


def test_labels_of_mixtures_are_their_components() -> None:
    np.testing.assert_array_equal(cluster_labels(GaussianMixture(3).fit(ROWS)), [0, 1, 2])
