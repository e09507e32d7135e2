"""scikit-learn's decision trees and forests, and the leaves they end in."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from converter.lowering.labels import by_probability, several
from converter.lowering.registry import Array
from converter.lowering.trees import Ensemble, Forest, join, reads_trees, sum_of_leaves


@reads_trees(
    DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor,
    RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor,
)  # fmt: skip
def sklearn_ensemble(model: Any) -> Ensemble:
    """Of scikit-learn's trees and forests, which read float32 and average."""
    return Ensemble(read_forest(model), partial(_answer, model), reads=np.float32, average=True)


def read_forest(model: Any) -> Forest:
    """Collect the nodes of a fitted scikit-learn tree or forest.

    A classifier's values are the leaf's class fractions, one column a class and, of several labels,
    label after label; a regressor's are its predicted values.
    """
    members = getattr(model, "estimators_", None)
    trees = [model.tree_] if members is None else [member.tree_ for member in members]
    value = np.concatenate([tree.value for tree in trees]).astype(np.float64)
    if not is_classifier(model):
        return join(trees, value[:, :, 0], int(model.n_features_in_))
    counts = np.atleast_1d(model.n_classes_)
    values = np.concatenate([value[:, label, :count] for label, count in enumerate(counts)], axis=1)
    # scikit-learn stores fractions; their sum differs from 1 by rounding only, if at all.
    assert np.allclose(values.sum(axis=1), len(counts))
    return join(trees, values, int(model.n_features_in_))


def _answer(model: Any, average: Array) -> Any:
    if not is_classifier(model):
        return average[:, 0] if model.n_outputs_ == 1 else average
    if model.n_outputs_ == 1:
        return by_probability(average)
    ends = np.cumsum(model.n_classes_).tolist()
    return several(
        [
            by_probability(average[:, end - count : end])
            for end, count in zip(ends, model.n_classes_, strict=True)
        ]
    )


def leaf_indicator(model: Any, x: Array, leaves_of: Sequence[NDArray[np.int64]]) -> Array:
    """(n, columns) float64: 1 where a row ends in a leaf of a scikit-learn forest.

    leaves_of: for each tree the numbers of the leaves that have a column, in order.
    """
    forest = read_forest(model)
    numbers = np.zeros((len(forest.node), forest.n_trees))
    numbers[np.arange(len(numbers)), forest.tree] = forest.node
    ends = sum_of_leaves(replace(forest, values=numbers), x.astype(np.float32))
    tree = np.repeat(np.arange(forest.n_trees), [len(given) for given in leaves_of])
    return (ends[:, tree] == np.concatenate(leaves_of).astype(np.float32)).astype(np.float64)
