"""Decision trees and forests of scikit-learn as one TreeEnsembleRegressor, leaf for leaf.

Every finite float32 input reaches the leaf it reaches in scikit-learn, in every tree. The average of
the leaves is scikit-learn's, rounded to float32: that rounding is the only difference.

A classifier too becomes a TreeEnsemble*Regressor* with one output a class, then ArgMax: it can
average, it has no special case for two classes, and ArgMax takes the first of equal classes as numpy
does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from converter.graph import ML, Graph
from converter.lowering.thresholds import fold

LEAF = -1  # the child of a leaf
_DOUBLE = TensorProto.DOUBLE
_EXACT_BELOW = 2**24  # whole numbers below this are exact in float32


@dataclass(frozen=True)
class Forest:
    """The nodes of all trees, one after another; every array has one entry a node.

    left, right: a node's children, counted within its tree; -1 at a leaf.
    values: (nodes, outputs) float64, what a leaf predicts; other nodes' are not used.
    """

    n_trees: int
    n_features: int
    tree: NDArray[np.int64]
    node: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    missing_left: NDArray[np.bool_]
    values: NDArray[np.float64]

    @property
    def inner(self) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self.left != LEAF
        return found


def read_forest(model: Any, *, classifier: bool) -> Forest:
    """Collect the nodes of a fitted scikit-learn tree or forest.

    A classifier's values are the leaf's class fractions, a regressor's its predicted values.
    """
    members = getattr(model, "estimators_", None)
    trees = [model.tree_] if members is None else [member.tree_ for member in members]
    value = np.concatenate([tree.value for tree in trees]).astype(np.float64)
    values = value[:, 0, :] if classifier else value[:, :, 0]
    if classifier:
        # scikit-learn stores fractions; their sum differs from 1 by rounding only, if at all.
        assert np.allclose(values.sum(axis=1), 1.0)
    return join(trees, values, int(model.n_features_in_))


def join(trees: Sequence[Any], values: NDArray[np.float64], n_features: int) -> Forest:
    """A forest of scikit-learn's `Tree` objects, whose leaves predict `values`, one row a node."""
    counts = [tree.node_count for tree in trees]

    def joined(attribute: str, dtype: type) -> Any:
        return np.concatenate([np.asarray(getattr(tree, attribute)) for tree in trees]).astype(dtype)

    return Forest(
        n_trees=len(trees),
        n_features=n_features,
        tree=np.repeat(np.arange(len(trees)), counts),
        node=np.concatenate([np.arange(count) for count in counts]),
        feature=joined("feature", np.int64),
        threshold=joined("threshold", np.float64),
        left=joined("children_left", np.int64),
        right=joined("children_right", np.int64),
        missing_left=joined("missing_go_to_left", np.bool_),
        values=values,
    )


def fold_scalers(forest: Forest, scalers: Sequence[Any]) -> NDArray[np.float32]:
    """float32 thresholds on the scalers' input, one a node; 0 at leaves."""
    inner = forest.inner
    thresholds = np.zeros(len(forest.node), dtype=np.float32)
    thresholds[inner] = fold(scalers, forest.feature[inner], forest.threshold[inner], forest.n_features)
    return thresholds


def add_average(graph: Graph, rows: str, forest: Forest, thresholds: NDArray[np.float32]) -> str:
    """Add the trees; returns the average of their leaves' values, float32 of shape (batch, outputs)."""
    return _add_trees(graph, rows, forest, thresholds, "AVERAGE")


def add_sum(graph: Graph, rows: str, forest: Forest, thresholds: NDArray[np.float32]) -> str:
    """Add the trees; returns the sum of their leaves' values, float32 of shape (batch, outputs)."""
    return _add_trees(graph, rows, forest, thresholds, "SUM")


def _add_trees(
    graph: Graph, rows: str, forest: Forest, thresholds: NDArray[np.float32], aggregate: str
) -> str:
    """One node for all trees.

    Where float32 would round the sum (leaves that hold fractions), the same node adds in float64, as
    scikit-learn does, at about a tenth more time; the output is rounded to float32 once.
    """
    if _adds_exactly(forest):
        numbers = _as_lists
    else:
        rows = graph.node("Cast", rows, to=_DOUBLE)  # this is what selects float64 in the runtime
        numbers = _as_float64_tensors
    where, target = _leaf_weights(forest)
    return graph.node(
        "TreeEnsembleRegressor",
        rows,
        domain=ML,
        aggregate_function=aggregate,
        n_targets=forest.values.shape[1],
        post_transform="NONE",
        target_treeids=forest.tree[where].tolist(),
        target_nodeids=forest.node[where].tolist(),
        target_ids=target.tolist(),
        **_structure(forest),
        **numbers(nodes_values=thresholds, target_weights=forest.values[where, target]),
    )


def _adds_exactly(forest: Forest) -> bool:
    """Whether any order of adding the leaves in float32 gives the exact sum: small whole numbers do."""
    values = forest.values[~forest.inner]
    whole = bool(np.all(values == np.rint(values)))
    return whole and float(np.abs(values).max()) * forest.n_trees < _EXACT_BELOW


def _as_lists(**numbers: NDArray[Any]) -> dict[str, Any]:
    return {name: array.astype(np.float32).tolist() for name, array in numbers.items()}


def _as_float64_tensors(**numbers: NDArray[Any]) -> dict[str, Any]:
    return {
        f"{name}_as_tensor": numpy_helper.from_array(array.astype(np.float64))
        for name, array in numbers.items()
    }


def _structure(forest: Forest) -> dict[str, Any]:
    inner = forest.inner
    return {
        "nodes_treeids": forest.tree.tolist(),
        "nodes_nodeids": forest.node.tolist(),
        "nodes_featureids": np.where(inner, forest.feature, 0).tolist(),
        "nodes_modes": np.where(inner, "BRANCH_LEQ", "LEAF").tolist(),
        "nodes_truenodeids": np.where(inner, forest.left, 0).tolist(),
        "nodes_falsenodeids": np.where(inner, forest.right, 0).tolist(),
        "nodes_missing_value_tracks_true": (inner & forest.missing_left).astype(int).tolist(),
    }


def _leaf_weights(forest: Forest) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(node, output) of each weight; zeros add nothing and are left out: most leaves have one class."""
    given = forest.values != 0
    given[:, 0] |= ~given.any(axis=1)  # a leaf must have one weight, be it 0
    given &= ~forest.inner[:, None]
    where, target = np.nonzero(given)
    return where, target
