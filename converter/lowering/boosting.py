"""scikit-learn's gradient boosting, both kinds, as one TreeEnsembleRegressor, leaf for leaf.

The start (the prediction before any tree) joins the leaves of the first tree of each output, and every
leaf is what scikit-learn adds for it. Trees keep their order, so the node's float64 sum is built in the
same steps as scikit-learn's; it is rounded to float32 once.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_regressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

from converter.lowering.boosters.splits import Intervals, Tree, forest_of, intervals
from converter.lowering.labels import binary, largest, logistic, softmax
from converter.lowering.registry import Scores
from converter.lowering.trees import LEAF, Ensemble, Forest, join, reads_trees
from edge_runtime.errors import UnsupportedModelError

_RANDOM_DUMMIES = {"stratified", "uniform"}


@reads_trees(GradientBoostingClassifier, GradientBoostingRegressor)
def classic_ensemble(model: Any) -> Ensemble:
    """Of GradientBoosting*: `estimators_` holds one regression tree a stage and output."""
    start = _constant_start(model)
    trees = [tree.tree_ for tree in model.estimators_.ravel()]
    leaves = np.concatenate([tree.value[:, 0, 0] for tree in trees]).astype(np.float64)
    forest = join(trees, np.empty((len(leaves), 0)), int(model.n_features_in_))
    forest = _with_scores(forest, model.learning_rate * leaves, start)
    return Ensemble(forest, partial(_answer, model, zero_is_second=True), reads=np.float32)


@reads_trees(HistGradientBoostingClassifier, HistGradientBoostingRegressor)
def histogram_ensemble(model: Any) -> Ensemble:
    """Of HistGradientBoosting*, which compares float64 with float64."""
    answer = partial(_answer, model, zero_is_second=False)
    # It turns categories into codes and moves their columns to the front.
    encoder = model._preprocessor
    return Ensemble(_histogram_forest(model), answer, reads=np.float64, encoder=encoder)


def _answer(model: Any, raw: Any, *, zero_is_second: bool) -> Any:
    """What a raw score (n, outputs) means, by the inverse of the loss's link.

    zero_is_second: which of two classes a score of exactly 0 is.
    """
    link = type(model._loss.link).__name__
    if is_regressor(model):
        if link not in ("IdentityLink", "LogLink"):
            raise _unknown_loss(model, link)
        return np.exp(raw[:, 0]) if link == "LogLink" else raw[:, 0]
    if link == "MultinomialLogit":
        return Scores(largest(raw), softmax(raw), raw)
    if link not in ("LogitLink", "HalfLogitLink"):
        raise _unknown_loss(model, link)
    score = raw[:, 0]
    likely = logistic(2 * score if link == "HalfLogitLink" else score)
    return binary(likely, score >= 0 if zero_is_second else score > 0, score)


def _unknown_loss(model: Any, link: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"{type(model).__name__}: expected one of scikit-learn's own losses, found "
        f"loss={model.loss!r} with {link}."
    )


def _constant_start(model: Any) -> NDArray[np.float64]:
    """(outputs,): the raw score before any tree, where it is the same for every row."""
    init = model.init_
    dummy = type(init) in (DummyClassifier, DummyRegressor) and init.strategy not in _RANDOM_DUMMIES
    if not dummy and not (isinstance(init, str) and init == "zero"):
        strategy = f"({init.strategy!r})" if hasattr(init, "strategy") else ""
        raise UnsupportedModelError(
            f"{type(model).__name__}: expected a start that is the same for every row (init=None or "
            f"init='zero'); found init={type(init).__name__}{strategy}. Train without it."
        )
    # Its own arithmetic turns the prior into a score.
    start: NDArray[np.float64] = model._raw_predict_init(np.zeros((1, model.n_features_in_), np.float32))
    return start.reshape(-1)


def _histogram_forest(model: Any) -> Forest:
    """Of HistGradientBoosting*: `_predictors` holds, a stage and output, one array of nodes.

    Thresholds are float64 and so is what they are compared with; a float32 input is the same number.
    """
    grown = [predictor for stage in model._predictors for predictor in stage]
    forest = forest_of([_histogram_tree(predictor) for predictor in grown], model._n_features, 1)
    return _with_scores(forest, forest.values[:, 0], model._baseline_prediction.reshape(-1))


def _histogram_tree(predictor: Any) -> Tree:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=nodes["num_threshold"].astype(np.float64),
        left=np.where(leaf, LEAF, nodes["left"].astype(np.int64)),
        right=np.where(leaf, LEAF, nodes["right"].astype(np.int64)),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        values=nodes["value"].astype(np.float64)[:, None],
        intervals={
            int(node): _category_split(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]])
            for node in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf)
        },
    )


def _category_split(bits: NDArray[np.uint32]) -> Intervals:
    """Codes from 0 to 255, whose set goes left; what is not known the model's encoder makes NaN."""
    goes_left = np.unpackbits(bits.view(np.uint8), bitorder="little").astype(bool)
    codes = np.arange(len(goes_left), dtype=np.float64)
    return intervals(codes, lambda x: goes_left[np.minimum(x, codes[-1]).astype(np.int64)])


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
