"""What the training rows within a radius say of a row.

Squared distances are of differences, not by expansion: grids put points exactly on the radius.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import (
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
    RadiusNeighborsTransformer,
)

from converter.lowering.distances import comparable, comparable_radius, dense, distance
from converter.lowering.labels import largest, several
from converter.lowering.neighbours import fitted_metric, is_weighted, labels_of
from converter.lowering.registry import Array, Scores, classifies, refuse, regresses, transforms
from edge_runtime.errors import UnsupportedModelError


def within(model: Any, x: Array) -> tuple[Array, Array]:
    """Distances (n, m) to every training row, and which of them (bool) are not beyond the radius."""
    metric = fitted_metric(model)
    compared = comparable(x, dense(model._fit_X), metric, exactly=True)
    return distance(compared, metric), compared <= comparable_radius(float(model.radius), metric)


def _weights(model: Any, x: Array) -> Array:
    """What every training row counts (n, m): 0 beyond the radius, else 1 or 1 / distance."""
    found, is_near = within(model, x)
    near = is_near.astype(np.float64)
    if not is_weighted(model):
        return near
    same = (found == 0.0) & is_near
    return np.where(
        np.any(same, axis=1, keepdims=True),
        same.astype(np.float64),
        near / np.where(found == 0.0, 1.0, found),
    )


@classifies(RadiusNeighborsClassifier)
def classification(model: Any, x: Array) -> Scores:
    """The votes of all within the radius; of a row that has none around, the outlier label.

    Without that label the source refuses such a row.
    """
    weights = _weights(model, x)
    classes = model.classes_ if model.outputs_2d_ else [model.classes_]
    members = []
    for at, own in enumerate(labels_of(model)):
        votes = weights @ own
        total = np.sum(votes, axis=1, keepdims=True)
        is_empty = total == 0.0
        shares = votes / np.where(is_empty, 1.0, total)
        if model.outlier_label_ is None:
            refuse(is_empty[:, 0], "RadiusNeighborsClassifier: no training row is within the radius")
        else:
            shares = np.where(is_empty, _outlier(model, at, classes[at]), shares)
        members.append(Scores(largest(shares), shares))
    return several(members) if model.outputs_2d_ else members[0]


def _outlier(model: Any, at: int, classes: NDArray[Any]) -> NDArray[np.float64]:
    """The probabilities (classes,) of a row without neighbours. Raises UnsupportedModelError."""
    is_label: NDArray[np.float64] = (classes == model.outlier_label_[at]).astype(np.float64)
    if is_label.sum() != 1:
        raise UnsupportedModelError(
            f"RadiusNeighborsClassifier with outlier_label {model.outlier_label_[at]!r}, which is none "
            "of its classes, cannot be converted: a device's labels are the classes. Choose one."
        )
    return is_label


@regresses(RadiusNeighborsRegressor)
def regression(model: Any, x: Array) -> Array:
    """The mean of all within the radius; of a row that has none around, not a number."""
    targets = np.asarray(model._y)
    with np.errstate(invalid="ignore"):  # of whole numbers scikit-learn makes the least instead
        empty = np.full_like(targets[:1], np.nan).astype(np.float64)
    weights = _weights(model, x)
    total = np.sum(weights, axis=1, keepdims=True)
    is_empty = total == 0.0
    sums = weights @ targets.reshape(len(targets), -1).astype(np.float64)
    means = np.where(is_empty, empty.reshape(1, -1), sums / np.where(is_empty, 1.0, total))
    return means[:, 0] if targets.ndim == 1 else means


@transforms(RadiusNeighborsTransformer)
def graph(step: Any, x: Array) -> Array:
    """Distances or ones within the radius, 0 elsewhere; (n, m)."""
    found, is_near = within(step, x)
    return np.where(is_near, found if step.mode == "distance" else 1.0, 0.0)
