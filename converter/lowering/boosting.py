"""scikit-learn's gradient boosting, both kinds, as one TreeEnsembleRegressor, leaf for leaf.

The start (the prediction before any tree) joins the leaves of the first tree of each output, and every
leaf is what scikit-learn adds for it. Trees keep their order, so the node's float64 sum is built in the
same steps as scikit-learn's; it is rounded to float32 once.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

from converter.graph import Graph
from converter.lowering.trees import LEAF, Forest, join
from edge_runtime.errors import UnsupportedModelError

# Exactly these: a subclass may predict otherwise.
BOOSTING = {
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
}
_HISTOGRAM = {HistGradientBoostingClassifier, HistGradientBoostingRegressor}
_RANDOM_DUMMIES = {"stratified", "uniform"}
_LINKS = {"IdentityLink", "LogLink", "LogitLink", "HalfLogitLink", "MultinomialLogit"}


@dataclass(frozen=True)
class Boosting:
    """Trees whose leaves sum to raw scores, and how scores become answers.

    link: scikit-learn's name of the function whose inverse turns a score into a prediction.
    zero_is_second: which of two classes a score of exactly 0 means.
    """

    forest: Forest
    link: str
    zero_is_second: bool


def read_boosting(model: Any, step: str) -> Boosting:
    """Collect the nodes of a fitted model of one of the types in BOOSTING.

    Raises UnsupportedModelError, naming `step`, for categorical features, for a start that differs
    from row to row, and for a link that is not known.
    """
    link = type(model._loss.link).__name__
    if link not in _LINKS:
        raise UnsupportedModelError(
            f"{step}: expected one of scikit-learn's own losses, found loss={model.loss!r} with {link}."
        )
    if type(model) in _HISTOGRAM:
        return Boosting(_histogram_forest(model, step), link, zero_is_second=False)
    return Boosting(_classic_forest(model, step), link, zero_is_second=True)


def add_value(graph: Graph, scores: str, boosting: Boosting) -> str:
    """A regressor's prediction of its raw score, float32 of shape (batch, 1)."""
    return graph.node("Exp", scores) if boosting.link == "LogLink" else scores


def add_classes(graph: Graph, scores: str, boosting: Boosting) -> tuple[str, str]:
    """A classifier's label, int64 (batch,), and probabilities, float32 (batch, classes)."""
    if boosting.link == "MultinomialLogit":
        label = graph.node("ArgMax", scores, axis=1, keepdims=0)
        return label, graph.node("Softmax", scores, axis=1)
    compare = "GreaterOrEqual" if boosting.zero_is_second else "Greater"
    second = graph.node(compare, scores, graph.constant(np.array(0, np.float32)))
    second = graph.node("Reshape", second, graph.constant(np.array([-1])))
    label = graph.node("Cast", second, to=TensorProto.INT64)
    if boosting.link == "HalfLogitLink":
        scores = graph.node("Mul", scores, graph.constant(np.array(2, np.float32)))
    likely = graph.node("Sigmoid", scores)
    unlikely = graph.node("Sub", graph.constant(np.array(1, np.float32)), likely)
    return label, graph.node("Concat", unlikely, likely, axis=1)


def _classic_forest(model: Any, step: str) -> Forest:
    """Of GradientBoosting*: `estimators_` holds one regression tree a stage and output."""
    start = _constant_start(model, step)
    trees = [tree.tree_ for tree in model.estimators_.ravel()]
    leaves = np.concatenate([tree.value[:, 0, 0] for tree in trees]).astype(np.float64)
    forest = join(trees, np.empty((len(leaves), 0)), int(model.n_features_in_))
    return _with_scores(forest, model.learning_rate * leaves, start)


def _constant_start(model: Any, step: str) -> NDArray[np.float64]:
    """(outputs,): the raw score before any tree, where it is the same for every row."""
    init = model.init_
    dummy = type(init) in (DummyClassifier, DummyRegressor) and init.strategy not in _RANDOM_DUMMIES
    if not dummy and not (isinstance(init, str) and init == "zero"):
        strategy = f"({init.strategy!r})" if hasattr(init, "strategy") else ""
        raise UnsupportedModelError(
            f"{step}: expected a start that is the same for every row (init=None or init='zero'); "
            f"found init={type(init).__name__}{strategy}. Train without it."
        )
    # Its own arithmetic turns the prior into a score.
    start: NDArray[np.float64] = model._raw_predict_init(np.zeros((1, model.n_features_in_), np.float32))
    return start.reshape(-1)


def _histogram_forest(model: Any, step: str) -> Forest:
    """Of HistGradientBoosting*: `_predictors` holds, a stage and output, one array of nodes.

    Thresholds are float64 and so is what they are compared with; a float32 input is the same number.
    """
    if model.is_categorical_ is not None and np.any(model.is_categorical_):
        columns = np.flatnonzero(model.is_categorical_).tolist()
        raise UnsupportedModelError(
            f"{step}: categorical features (columns {columns[:8]}) do not convert yet. Train with "
            "categorical_features=None on one-hot encoded columns."
        )
    trees = [predictor.nodes for stage in model._predictors for predictor in stage]
    nodes = np.concatenate(trees)
    leaf = nodes["is_leaf"].astype(bool)
    counts = [len(tree) for tree in trees]
    forest = Forest(
        n_trees=len(trees),
        n_features=int(model.n_features_in_),
        tree=np.repeat(np.arange(len(trees)), counts),
        node=np.concatenate([np.arange(count) for count in counts]),
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=nodes["num_threshold"].astype(np.float64),
        left=np.where(leaf, LEAF, nodes["left"].astype(np.int64)),
        right=np.where(leaf, LEAF, nodes["right"].astype(np.int64)),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        values=np.empty((len(nodes), 0)),
    )
    return _with_scores(forest, nodes["value"], model._baseline_prediction.reshape(-1))


def _with_scores(forest: Forest, leaves: NDArray[np.float64], start: NDArray[np.float64]) -> Forest:
    """Give each node's number to its tree's output (trees take turns), and the start to the first.

    scikit-learn begins at the start and adds tree after tree: so does a sum whose first term has it.
    """
    outputs = len(start)
    output = forest.tree % outputs
    values = np.zeros((len(forest.node), outputs))
    first = forest.tree < outputs
    values[np.arange(len(values)), output] = np.where(first, start[output] + leaves, leaves)
    return replace(forest, values=values)
