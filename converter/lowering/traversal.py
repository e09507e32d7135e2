"""Trees in standard operators: all of them walked at once, one level of all trees after the other.

    node = where(x[feature[node]] <= threshold[node], left[node], right[node])

for every row and tree, as often as the deepest tree is deep; a leaf is its own child. Six nodes a level,
whatever the number of trees, where one matrix product for all splits at once (Hummingbird's GEMM form,
Nakandala et al., OSDI 2020) grows with the square of the leaves.

The leaves are added in float32 as exactly as float64 would: each is split into a whole number of steps,
whose sum float32 holds exactly, and a rest of less than a step.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from converter.graph import Graph
from converter.lowering.thresholds import round_down

if TYPE_CHECKING:
    from converter.lowering.trees import Forest

# What the tables are called by: see `Graph.tables`.
TREES, LEAVES, SPLIT_LEAVES = "trees", "leaves", "split_leaves"
_MANTISSA = 24  # bits of a float32 number
# TensorRT-RTX 1.7 fuses the levels, and beyond 14 of them takes twice as long for each further one: 14 s
# for 19 levels, 0.3 s where they are cut. A reduction is where fusing ends.
_FUSED_LEVELS = 8
_LARGEST = np.finfo(np.float32).max


def add_traversal(graph: Graph, rows: str, forest: "Forest", *, average: bool) -> str:
    """Nodes that give the sum (or average) of the trees' leaves, float32 (n, outputs).

    rows: the name of a float32 value (n, features). Every one reaches the leaf that `forest` sends it
    to; NaN goes where it is missing.
    """
    walk = _walk(forest)
    features = walk.feature
    if walk.missing_left.any():
        rows = _without_nan(graph, rows)
        features = np.where(walk.missing_left, features + forest.n_features, features)
    at = _start(graph, rows, walk, features)
    leaves, are_split = _leaves(forest, walk.order)
    tables = {"feature": features, "threshold": walk.threshold, "left": walk.left, "right": walk.right}
    ends = {SPLIT_LEAVES if are_split else LEAVES: leaves}
    *known, values = graph.tables(TREES, **tables, **ends)
    for level in range(1, walk.depth):
        if level % _FUSED_LEVELS == 0:
            at = _cut(graph, at)
        feature, threshold, left, right = (graph.node("Gather", table, at) for table in known)
        seen = graph.node("GatherElements", rows, feature, axis=1)
        goes_left = graph.node("LessOrEqual", seen, threshold)
        at = graph.node("Where", goes_left, left, right)
    at_ends = graph.node("Gather", values, at)
    return _added(graph, at_ends, forest, average=average, are_split=are_split)


def _cut(graph: Graph, at: str) -> str:
    """The same values; what comes before and what comes after is not fused."""
    axis = graph.constant(np.array([2]))
    return graph.node("ReduceMax", graph.node("Unsqueeze", at, axis), axes=[2], keepdims=0)


@dataclass(frozen=True)
class _Walk:
    """Every node's feature, threshold and children, counted over all trees; a leaf is its own child.

    Leaves come last: what stores the tables writes no feature for them, and no values for others.
    order: where each node is in the forest's arrays. roots: the first node of each tree. depth: the most
    steps from a root to a leaf, at least 1.
    """

    order: NDArray[np.int64]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    roots: NDArray[np.int32]
    depth: int


def _walk(forest: "Forest") -> _Walk:
    roots = np.searchsorted(forest.tree, np.arange(forest.n_trees))
    order = np.argsort(~forest.inner, kind="stable")
    number = np.argsort(order)
    first, inner = roots[forest.tree][order], forest.inner[order]
    own = np.arange(len(order))
    left = np.where(inner, number[first + forest.left[order]], own)
    right = np.where(inner, number[first + forest.right[order]], own)
    roots = number[roots]
    threshold = np.where(inner, round_down(forest.threshold[order]), np.float32(0)).astype(np.float32)
    missing_left = inner & forest.missing_left[order]
    # Where every number goes left and only what is missing goes right: that may be +inf, see below.
    threshold[np.isposinf(threshold) & ~missing_left] = _LARGEST
    return _Walk(
        order=order,
        feature=np.where(inner, forest.feature[order], 0).astype(np.int32),
        threshold=threshold,
        left=left.astype(np.int32),
        right=right.astype(np.int32),
        missing_left=missing_left,
        roots=roots.astype(np.int32),
        depth=_depth(roots, left, right),
    )


def _depth(roots: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64]) -> int:
    depth, at = 0, np.unique(roots)
    while (inner := at[left[at] != at]).size:
        at = np.unique(np.concatenate([left[inner], right[inner]]))
        depth += 1
    return max(depth, 1)


def _without_nan(graph: Graph, rows: str) -> str:
    """The features twice: with +inf, which goes right, and with -inf, which goes left, for NaN."""
    missing = graph.node("IsNaN", rows)
    both = [
        graph.node("Where", missing, graph.constant(np.array(sign * np.inf, np.float32)), rows)
        for sign in (1, -1)
    ]
    return graph.node("Concat", *both, axis=1)


def _start(graph: Graph, rows: str, walk: _Walk, features: NDArray[np.int32]) -> str:
    """The first step, from roots that are the same for every row."""
    roots = walk.roots
    seen = graph.node("Gather", rows, graph.constant(features[roots]), axis=1)
    goes_left = graph.node("LessOrEqual", seen, graph.constant(walk.threshold[roots]))
    return graph.node(
        "Where", goes_left, graph.constant(walk.left[roots]), graph.constant(walk.right[roots])
    )


def _leaves(forest: "Forest", order: NDArray[np.int64]) -> tuple[NDArray[np.float32], bool]:
    """(nodes, outputs): what each adds; where steps alone are not exact, steps and rests, twice as
    wide, and True."""
    values = np.where(forest.inner[:, None], 0.0, forest.values)[order]
    steps, rest = split(values, forest.n_trees)
    is_exact = not rest.any()
    return (steps if is_exact else np.concatenate([steps, rest], axis=1)), not is_exact


def _added(graph: Graph, leaves: str, forest: "Forest", *, average: bool, are_split: bool) -> str:
    total = graph.node("ReduceSum", leaves, graph.constant(np.array([1])), keepdims=0)
    if are_split:
        width = forest.values.shape[1]
        sizes = graph.constant(np.array([width, width]))
        total = graph.node("Add", *graph.nodes_of("Split", total, sizes, outputs=2, axis=1))
    if not average:
        return total
    return graph.node("Div", total, graph.constant(np.array(forest.n_trees, np.float32)))


def split(values: NDArray[np.float64], n_trees: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Numbers as a whole number of steps and a rest, such that float32 adds `n_trees` steps exactly."""
    largest = float(np.abs(values).max(initial=0.0)) * n_trees
    step = 2.0 ** (np.ceil(np.log2(largest)) - _MANTISSA + 1) if largest else 1.0
    whole = np.rint(values / step) * step
    return whole.astype(np.float32), (values - whole).astype(np.float32)
