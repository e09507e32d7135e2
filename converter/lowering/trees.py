"""Tree ensembles as one TreeEnsembleRegressor, or in standard operators, leaf for leaf.

Every finite input reaches the leaf it reaches in the source, in every tree, and the leaves are added in
float64 and in order. Rounding that sum to float32 is the only difference.

A classifier too becomes a TreeEnsemble*Regressor* with one output a class, then ArgMax: it can
average, it has no special case for two classes, and ArgMax takes the first of equal classes as numpy
does. Who reads a library's own trees registers with `reads_trees`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from converter.graph import ML, Graph
from converter.lowering.registry import Array, classifies, regresses, transform
from converter.lowering.table import Table, matrix
from converter.lowering.thresholds import fold, round_down
from converter.lowering.traversal import add_traversal
from converter.standard.graph import StandardGraph
from converter.tracing.tensor import Tensor

LEAF = -1  # the child of a leaf
_DOUBLE = TensorProto.DOUBLE
_MODES = np.array([b"LEAF", b"BRANCH_LEQ"], dtype=object)
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


@dataclass(frozen=True)
class Ensemble:
    """A fitted model of trees.

    answer: what a classifier's or regressor's raw score, float32 (n, outputs), means.
    reads: the dtype to which the source rounds its input before it compares; reads_whole: to
        which it rounds an array of whole numbers, where that is another.
    average: whether the raw score is the average of the trees, instead of their sum.
    encoder: a fitted transformer that the model keeps in front of its trees, or None.
    """

    forest: Forest
    answer: Callable[[Array], Any]
    reads: type[np.float32] | type[np.float64]
    reads_whole: type[np.float32] | None = None
    average: bool = False
    encoder: Any = None


_Reader = Callable[[Any], Ensemble]
_readers: dict[type, _Reader] = {}


def reads_trees(*kinds: type) -> Callable[[_Reader], _Reader]:
    """Register how these models become an Ensemble, and with it what they predict."""

    def register(reader: _Reader) -> _Reader:
        for kind in kinds:
            _readers[kind] = reader
            lowers = classifies if hasattr(kind, "predict_proba") else regresses
            lowers(kind, reads="table")(answer)
        return reader

    return register


def has_trees(model: Any) -> bool:
    """Whether this is a model of trees that `ensemble` reads."""
    from converter.lowering import boosters  # it calls back

    return type(model) in _readers or (boosters.register(model) and type(model) in _readers)


def ensemble(model: Any) -> Ensemble:
    """The trees of a fitted model and how they answer. Raises UnsupportedModelError."""
    return _readers[type(model)](model)


def answer(model: Any, x: Array | Table, scalers: Sequence[Any] = ()) -> Any:
    """What a model of trees predicts; `scalers` in front of it vanish into its thresholds.

    scalers: fitted, monotone in every feature; only for x in float32.
    """
    trees = ensemble(model)
    is_frame = isinstance(x, Table) and bool(x.names)
    if trees.encoder is not None:
        x = transform(trees.encoder, x)
    forest = folded(trees.forest, scalers) if scalers else trees.forest
    x = matrix(x)
    if x.dtype.kind in "iub" and trees.reads_whole is not None and not is_frame:
        x = x.astype(trees.reads_whole)
    if x.dtype != np.float32:
        x = x.astype(trees.reads)
    return trees.answer(sum_of_leaves(forest, x, average=trees.average))


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


def folded(forest: Forest, scalers: Sequence[Any]) -> Forest:
    """The same trees on the scalers' float32 input: its thresholds are float32 numbers."""
    inner = forest.inner
    thresholds = np.zeros(len(forest.node))
    thresholds[inner] = fold(scalers, forest.feature[inner], forest.threshold[inner], forest.n_features)
    return replace(forest, threshold=thresholds)


def sum_of_leaves(forest: Forest, x: Any, *, average: bool = False) -> Any:
    """The sum (or average) over the trees of their leaves' values, float32 of shape (n, outputs).

    x: float32 or float64 (n, features), in the dtype that the source compares with its thresholds.
    The sum is float64, as the source's, and rounded to float32 once.
    """
    if isinstance(x, Tensor):
        name = _in_graph(x, forest, average=average)
        return Tensor(x.graph, name, np.dtype(np.float32), (None, forest.values.shape[1]))
    found = np.zeros((len(x), forest.values.shape[1]))
    for leaf in leaves(forest, np.asarray(x)).T:
        found += forest.values[leaf]
    return (found / forest.n_trees if average else found).astype(np.float32)


def _in_graph(x: Tensor, forest: Forest, *, average: bool) -> str:
    graph = x.graph
    if isinstance(graph, StandardGraph):
        graph.read_by_trees.append(x.name)  # before it is rounded: the source may compare in float64
        return add_traversal(graph, x.astype(np.float32).name, forest, average=average)
    return _add_trees(graph, x.name, x.dtype, forest, "AVERAGE" if average else "SUM")


def leaves(forest: Forest, x: NDArray[Any]) -> NDArray[np.int64]:
    """(n, trees): the row in the forest's arrays of the leaf that each tree sends each row to."""
    first = np.searchsorted(forest.tree, np.arange(forest.n_trees))
    at = np.tile(first, (len(x), 1))
    rows = np.arange(len(x))[:, None]
    while np.any(forest.inner[at]):
        seen = x[rows, np.where(forest.inner[at], forest.feature[at], 0)]
        left = np.where(np.isnan(seen), forest.missing_left[at], seen <= forest.threshold[at])
        child = np.where(left, forest.left[at], forest.right[at])
        at = np.where(forest.inner[at], first + child, at)
    return at


def _add_trees(graph: Graph, rows: str, dtype: np.dtype[Any], forest: Forest, aggregate: str) -> str:
    """One node for all trees.

    Where float32 would round the sum (leaves that hold fractions), or the rows are float64, the node
    compares and adds in float64, at about a tenth more time.
    """
    in_float32 = dtype == np.float32 and _adds_exactly(forest)
    if not in_float32 and dtype != np.float64:  # a float64 input is what selects float64 in the runtime
        rows = graph.node("Cast", rows, to=_DOUBLE)
    forest = _without_twins(forest)
    where, target = _leaf_weights(forest)
    thresholds: NDArray[Any] = round_down(forest.threshold) if in_float32 else forest.threshold
    numbers = _as_numbers if in_float32 else _as_float64_tensors
    return graph.node(
        "TreeEnsembleRegressor",
        rows,
        domain=ML,
        aggregate_function=aggregate,
        n_targets=forest.values.shape[1],
        post_transform="NONE",
        target_treeids=forest.tree[where],
        target_nodeids=forest.node[where],
        target_ids=target,
        **_structure(forest),
        **numbers(
            nodes_values=np.where(forest.inner, thresholds, 0.0),
            target_weights=forest.values[where, target],
        ),
    )


def _without_twins(forest: Forest) -> Forest:
    """The same trees, left children that are leaves and say the same written once a tree.

    A forest grown to the end has a quarter fewer nodes then, which every device reads and keeps. Only
    left ones: ONNX Runtime keeps a right child beside its parent and refuses one with two.
    """
    first = np.searchsorted(forest.tree, np.arange(forest.n_trees))[forest.tree]
    left, right = first + forest.left, first + forest.right
    ends = ~forest.inner
    ends[right[forest.inner]] = False
    kept = np.ones(len(first), dtype=np.bool_)
    known: dict[tuple[int, bytes], int] = {}
    for parent in np.flatnonzero(forest.inner & ends[left]):
        leaf = left[parent]
        left[parent] = known.setdefault((first[leaf], forest.values[leaf].tobytes()), leaf)
        kept[leaf] = left[parent] == leaf
    number = np.cumsum(kept) - 1
    number -= number[first]
    every: dict[str, Any] = {
        name: getattr(forest, name)[kept]
        for name in ("tree", "feature", "threshold", "missing_left", "values")
    }
    children: dict[str, Any] = {
        name: np.where(forest.inner, number[child], LEAF)[kept]
        for name, child in (("left", left), ("right", right))
    }
    return replace(forest, node=number[kept], **children, **every)


def _adds_exactly(forest: Forest) -> bool:
    """Whether any order of adding the leaves in float32 gives the exact sum: small whole numbers do."""
    values = forest.values[~forest.inner]
    whole = bool(np.all(values == np.rint(values)))
    return whole and float(np.abs(values).max()) * forest.n_trees < _EXACT_BELOW


def _as_numbers(**numbers: NDArray[Any]) -> dict[str, Any]:
    return {name: array.astype(np.float32) for name, array in numbers.items()}


def _as_float64_tensors(**numbers: NDArray[Any]) -> dict[str, Any]:
    return {
        f"{name}_as_tensor": numpy_helper.from_array(array.astype(np.float64))
        for name, array in numbers.items()
    }


def _structure(forest: Forest) -> dict[str, Any]:
    inner = forest.inner
    structure = {
        "nodes_treeids": forest.tree,
        "nodes_nodeids": forest.node,
        "nodes_featureids": np.where(inner, forest.feature, 0),
        "nodes_modes": _MODES[inner.astype(int)],
        "nodes_truenodeids": np.where(inner, forest.left, 0),
        "nodes_falsenodeids": np.where(inner, forest.right, 0),
    }
    missing_left = inner & forest.missing_left
    if missing_left.any():  # by default what is missing goes to the right
        structure["nodes_missing_value_tracks_true"] = missing_left.astype(int)
    return structure


def _leaf_weights(forest: Forest) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(node, output) of each weight; zeros add nothing and are left out: most leaves have one class."""
    given = forest.values != 0
    given[:, 0] |= ~given.any(axis=1)  # a leaf must have one weight, be it 0
    given &= ~forest.inner[:, None]
    where, target = np.nonzero(given)
    return where, target
