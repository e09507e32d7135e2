"""Trees as boosting libraries keep them, as a `Forest` that only asks `x <= threshold`.

Most of a library's splits are one threshold. Others (a set of categories, a value that counts as
missing) send several intervals of one feature left: such a split becomes a chain of thresholds, each
asking whether x lies in the lowest interval that is left. Chains end in the split's own two children,
so a child may have several parents: no subtree is copied, and a chain is no longer than twice its
intervals. ONNX Runtime takes that as long as only the "yes" of a node leads to a child that has other
parents too, which is how chains are laid out here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.lowering.trees import LEAF, Forest


@dataclass(frozen=True)
class Intervals:
    """A split of many intervals: (-inf, bounds[0]], (bounds[0], bounds[1]], …, (bounds[-1], inf].

    bounds: (m,) float64, ascending. goes_left: (m + 1,), neighbours differ.
    """

    bounds: NDArray[np.float64]
    goes_left: NDArray[np.bool_]


@dataclass(frozen=True)
class Tree:
    """One tree with the library's own node numbers; arrays have one entry a node, the root first.

    threshold: x <= threshold goes left. left, right: -1 at a leaf. values: (nodes, outputs).
    intervals: splits that no single threshold describes, by node; their `threshold` is not used.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    missing_left: NDArray[np.bool_]
    values: NDArray[np.float64]
    intervals: Mapping[int, Intervals] = field(default_factory=dict)


def intervals(
    bounds: NDArray[np.float64], goes_left: Callable[[NDArray[np.float64]], NDArray[np.bool_]]
) -> Intervals:
    """The intervals of a decision that can change only just above one of `bounds`.

    goes_left: the library's decision for an array of values, none of them NaN.
    """
    bounds = np.unique(bounds)
    sides = goes_left(np.append(bounds, np.inf))
    changes = sides[1:] != sides[:-1]
    return Intervals(bounds[changes], sides[np.append(True, changes)])


def below(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """The float32 number before each: for a float32 x, x < value exactly when x <= below(value)."""
    return np.nextafter(values.astype(np.float32), np.float32(-np.inf)).astype(np.float64)


def forest_of(trees: Sequence[Tree], n_features: int, outputs: int) -> Forest:
    """All trees; nodes keep the library's numbers within each tree, what chains add comes after."""
    grown = [_with_chains(tree) for tree in trees]
    counts = [len(tree.feature) for tree in grown]
    if not grown:
        grown = [_nothing(outputs)]  # nothing was learnt: one leaf that adds 0
        counts = [1]
    return Forest(
        n_trees=len(grown),
        n_features=n_features,
        tree=np.repeat(np.arange(len(grown)), counts),
        node=np.concatenate([np.arange(count) for count in counts]),
        feature=np.concatenate([tree.feature for tree in grown]),
        threshold=np.concatenate([tree.threshold for tree in grown]),
        left=np.concatenate([tree.left for tree in grown]),
        right=np.concatenate([tree.right for tree in grown]),
        missing_left=np.concatenate([tree.missing_left for tree in grown]),
        values=np.concatenate([tree.values for tree in grown]),
    )


def _nothing(outputs: int) -> Tree:
    number, leaf = np.zeros(1, np.int64), np.full(1, LEAF)
    return Tree(number, np.zeros(1), leaf, leaf, np.zeros(1, bool), np.zeros((1, outputs)))


def _with_chains(tree: Tree) -> Tree:
    """The tree with a chain in place of each split of many intervals."""
    if not tree.intervals:
        return tree
    number = len(tree.feature)
    chains = []
    for node, split in tree.intervals.items():
        chains.append(_chain(tree, node, split, number))
        number += len(chains[-1].node) - 1
    at = np.concatenate([chain.node for chain in chains])

    def grown(name: str) -> Any:
        array = np.resize(getattr(tree, name), number)
        array[at] = np.concatenate([getattr(chain, name) for chain in chains])
        return array

    return Tree(
        feature=grown("feature"),
        threshold=grown("threshold"),
        left=grown("left"),
        right=grown("right"),
        missing_left=grown("missing_left"),
        values=np.pad(tree.values, ((0, number - len(tree.values)), (0, 0))),
    )


@dataclass(frozen=True)
class _Chain:
    """Entries of a tree's arrays, and the nodes they belong to."""

    node: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    missing_left: NDArray[np.bool_]


def _chain(tree: Tree, node: int, split: Intervals, number: int) -> _Chain:
    """Nodes of one chain: it begins at `node`, what it adds is numbered from `number` on.

    "Yes" leads to the child of the interval, "no" to the next node, of the last to the last interval's
    child. A missing number says "yes" at the first node whose interval goes where it must go.
    """
    sides, bounds = split.goes_left, split.bounds
    if len(bounds) == 0:  # one interval: all numbers go one way, a missing one perhaps the other
        sides, bounds = np.array([sides[0], not sides[0]]), np.array([np.inf])
    length = len(bounds)
    nodes = np.append(node, np.arange(number, number + length - 1))
    child = np.where(sides, tree.left[node], tree.right[node])
    return _Chain(
        node=nodes,
        feature=np.full(length, tree.feature[node]),
        threshold=bounds,
        left=child[:-1],
        right=np.append(nodes[1:], child[-1]),
        missing_left=sides[:-1] == tree.missing_left[node],
    )
