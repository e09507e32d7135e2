"""Distances from the rows of a batch to constant points, never as a (rows, points, features) array.

Two ways to the same squares. The expansion |x|² - 2 x·p + |p|² is one matrix product, but loses to
cancellation what x and p have in common. Features added one after another are exact where x equals p
and round as scikit-learn's trees do, for a few operations on (rows, points) per feature.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import UnsupportedModelError

Array = Any
Points = NDArray[np.float64]

_KINDS: dict[str, str] = {
    "euclidean": "euclidean", "l2": "euclidean", "sqeuclidean": "euclidean",
    "manhattan": "manhattan", "cityblock": "manhattan", "l1": "manhattan",
    "chebyshev": "chebyshev", "infinity": "chebyshev",
    "cosine": "cosine", "minkowski": "minkowski", "p": "minkowski", "haversine": "haversine",
    "precomputed": "precomputed",
}  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """A distance with a closed form.

    power, weights (features,): of the Minkowski distance, the root of sum(weights |x - p|**power).
    squared: the distance is the square of the Euclidean one.
    """

    kind: str
    power: float = 2.0
    weights: Points | None = None
    squared: bool = False


def metric_of(estimator: Any, metric: Any, params: dict[str, Any] | None) -> Metric:
    """Read scikit-learn's name of a metric and its parameters.

    Raises UnsupportedModelError, in the estimator's name, for any other metric or parameter.
    """
    left = dict(params or {})
    power, weights = left.pop("p", None), left.pop("w", None)
    kind = _KINDS.get(metric) if isinstance(metric, str) else None
    if kind is None or left or (weights is not None and kind != "minkowski"):
        said = repr(metric) + (f" with {sorted(params)}" if params else "")
        raise UnsupportedModelError(
            f"{type(estimator).__name__} with the metric {said} cannot be converted: known are "
            f"{', '.join(_KINDS)}. Use one of these."
        )
    weighted = None if weights is None else np.asarray(weights, dtype=np.float64)
    return Metric(kind, 2.0 if power is None else float(power), weighted, metric == "sqeuclidean")


def dense(points: Any) -> Points:
    """Fitted points (m, features), sparse or not, as float64."""
    return np.asarray(points.toarray() if hasattr(points, "toarray") else points, dtype=np.float64)


def centre(points: Points) -> Points:
    """What to take off rows and points (m, features) before an expansion; (features,).

    The expansion errs by about 1e-16 (|x|² + |p|²); around the points' mean that is about 1e-16 of the
    squared distances themselves. The mean is rounded, to integers where all points are integers, else
    to float32, so that these differences of integers or of float32 numbers are exact: points at the
    same distance stay at the same distance.
    """
    mean: Points = points.mean(axis=0)
    are_whole = bool(np.all(points == np.rint(points)))
    return np.rint(mean) if are_whole else mean.astype(np.float32).astype(np.float64)


def squared_distances(x: Array, points: Points) -> Array:
    """|x - p|² for rows x (n, features) and points (m, features), by expansion; (n, m), at least 0."""
    x = x - centre(points)
    return np.maximum(_crossed(x, points) + np.sum(x * x, axis=1, keepdims=True), 0.0)


def _crossed(x: Array, points: Points) -> Array:
    """|p|² - 2 x·p (n, m), of rows and points around the points' centre."""
    points = points - centre(points)
    return x @ np.ascontiguousarray(-2.0 * points.T) + (points * points).sum(axis=1)


def order(x: Array, points: Points, metric: Metric) -> Array:
    """What grows with a row's distance to points (n, m), and costs least."""
    if metric.kind == "euclidean":
        return _crossed(x - centre(points), points)
    return comparable(x, points, metric)


def added(x: Array, points: Points, term: Callable[[Array, Points], Array]) -> Array:
    """The sum over features of term(x (n, 1), p (m,)), each (n, m)."""
    terms = [term(x[:, at : at + 1], points[:, at]) for at in range(points.shape[1])]
    total = terms[0]
    for each in terms[1:]:
        total = total + each
    return total


def comparable(x: Array, points: Points, metric: Metric, *, exactly: bool = False) -> Array:
    """What orders points by distance, (n, m): the distance, or the power of it that needs no root.

    exactly: Euclidean squares by features instead of by expansion.
    """
    if metric.kind == "precomputed":
        return x
    if metric.kind == "euclidean":
        return added(x, points, _square) if exactly else squared_distances(x, points)
    if metric.kind == "manhattan":
        return added(x, points, lambda own, theirs: np.abs(own - theirs))
    if metric.kind == "chebyshev":
        return _largest(x, points)
    if metric.kind == "haversine":
        return _haversine(x, points)
    if metric.kind == "cosine":
        return np.clip(1.0 - unit(x) @ np.ascontiguousarray(unit(points).T), 0.0, 2.0)
    return _minkowski(x, points, metric)


def distance(compared: Array, metric: Metric) -> Array:
    """The distance itself, from what `comparable` gives."""
    if metric.kind == "euclidean" and not metric.squared:
        return np.sqrt(compared)
    if metric.kind == "haversine":
        return 2.0 * np.arcsin(np.sqrt(compared))
    return compared ** (1.0 / metric.power) if metric.kind == "minkowski" else compared


def comparable_radius(radius: float, metric: Metric) -> float:
    """A distance as `comparable` gives it."""
    if metric.kind == "euclidean" and not metric.squared:
        return radius**2
    if metric.kind == "haversine":
        return float(np.sin(0.5 * radius) ** 2)
    return radius**metric.power if metric.kind == "minkowski" else radius


def unit(x: Array) -> Array:
    """Rows at length 1; zeros stay zeros, as `sklearn.preprocessing.normalize` leaves them."""
    length = np.sqrt(np.sum(x * x, axis=1, keepdims=True))
    return x / np.where(length == 0.0, 1.0, length)


def _square(own: Array, theirs: Points) -> Array:
    difference = own - theirs
    return difference * difference


def _largest(x: Array, points: Points) -> Array:
    found = np.abs(x[:, :1] - points[:, 0])
    for at in range(1, points.shape[1]):
        found = np.maximum(found, np.abs(x[:, at : at + 1] - points[:, at]))
    return found


def _haversine(x: Array, points: Points) -> Array:
    """sin²(half the angle) between places as latitude and longitude, in radians."""
    latitude, theirs = x[:, :1], points[:, 0]
    north = np.sin(0.5 * (latitude - theirs))
    east = np.sin(0.5 * (x[:, 1:2] - points[:, 1]))
    return north * north + np.cos(latitude) * np.cos(theirs) * east * east


def _minkowski(x: Array, points: Points, metric: Metric) -> Array:
    weights = np.ones(points.shape[1]) if metric.weights is None else metric.weights
    weighted = weights ** (
        1.0 / metric.power
    )  # each feature to scale first: w |d|**p is |w**(1/p) d|**p
    return added(
        x * weighted, points * weighted, lambda own, theirs: np.abs(own - theirs) ** metric.power
    )
