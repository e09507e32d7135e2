"""Distances by expansion and by features, beside scipy's."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.neighbors import KNeighborsClassifier

from converter.lowering.distances import (
    Metric,
    comparable,
    comparable_radius,
    distance,
    metric_of,
    squared_distances,
    unit,
)
from edge_runtime.errors import UnsupportedModelError

RANDOM = np.random.default_rng(0)
ROWS, POINTS = RANDOM.normal(size=(20, 5)), RANDOM.normal(size=(30, 5))
METRICS = {
    "euclidean": Metric("euclidean"),
    "cityblock": Metric("manhattan"),
    "chebyshev": Metric("chebyshev"),
    "cosine": Metric("cosine"),
}


@pytest.mark.parametrize("name", METRICS)
def test_a_distance_is_scipys(name: str) -> None:
    found = distance(comparable(ROWS, POINTS, METRICS[name]), METRICS[name])
    np.testing.assert_allclose(found, cdist(ROWS, POINTS, name), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("power", [1.5, 3.0])
def test_minkowskis_distance_weighs_features(power: float) -> None:
    weights = np.array([1.0, 2.0, 0.0, 0.5, 3.0])
    metric = Metric("minkowski", power, weights)
    wanted = cdist(ROWS, POINTS, "minkowski", p=power, w=weights)
    np.testing.assert_allclose(distance(comparable(ROWS, POINTS, metric), metric), wanted, rtol=1e-13)
    assert distance(comparable_radius(1.7, metric), metric) == pytest.approx(1.7, rel=1e-15)


def test_the_expansion_survives_points_far_from_zero() -> None:
    """Around zero, the squares would be off by 1e-16 · 1e12."""
    found = squared_distances(ROWS + 1e6, POINTS + 1e6)
    np.testing.assert_allclose(found, cdist(ROWS + 1e6, POINTS + 1e6, "sqeuclidean"), atol=1e-13)


def test_whole_numbers_at_equal_distance_tie_exactly() -> None:
    points = RANDOM.integers(1000, 1100, (50, 3)).astype(np.float64)
    rows = RANDOM.integers(1000, 1100, (20, 3)).astype(np.float64)
    exact = cdist(rows.astype(int), points.astype(int), "sqeuclidean")
    np.testing.assert_array_equal(squared_distances(rows, points), exact)


def test_a_point_is_at_distance_zero_from_itself_by_features() -> None:
    points = POINTS * 1e3 + 0.1
    assert (np.diag(comparable(points, points, Metric("euclidean"), exactly=True)) == 0.0).all()
    assert (squared_distances(points, points) >= 0.0).all()


def test_a_row_of_zeros_has_no_direction() -> None:
    assert (unit(np.zeros((1, 3))) == 0.0).all()


@pytest.mark.parametrize("metric", ["nan_euclidean", "canberra", len])
def test_a_metric_without_a_closed_form_is_refused_by_name(metric: object) -> None:
    with pytest.raises(UnsupportedModelError, match=r"^KNeighborsClassifier with the metric"):
        metric_of(KNeighborsClassifier(), metric, None)


def test_a_parameter_that_the_distance_does_not_have_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="'euclidean' with \\['V'\\]"):
        metric_of(KNeighborsClassifier(), "euclidean", {"V": np.ones(3)})
