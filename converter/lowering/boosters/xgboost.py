"""XGBoost's trees, read from the JSON that the fitted booster writes of itself.

XGBoost converts numbers to float32 and sends x left where x < split_condition. Of a set of categories
the members go right; a category outside the set, unknown or negative goes left; a missing number goes
the node's default way (src/predictor/predict_fn.h, src/common/categorical.h). It adds leaves in float32,
this in float64: leaves are equal, sums differ by float32 rounding only.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xgboost import XGBClassifier, XGBRegressor, XGBRFClassifier, XGBRFRegressor

from converter.lowering.boosters.answers import Answers, Link, with_start
from converter.lowering.boosters.categories import Categories
from converter.lowering.boosters.splits import Intervals, Tree, below, forest_of, intervals
from converter.lowering.trees import LEAF, Ensemble, reads_trees
from edge_runtime.errors import UnsupportedModelError

_LINKS: dict[str, Link] = {
    "reg:squarederror": "identity",
    "reg:squaredlogerror": "identity",
    "reg:pseudohubererror": "identity",
    "reg:absoluteerror": "identity",
    "reg:quantileerror": "identity",
    "reg:expectileerror": "identity",
    "reg:logistic": "logistic",
    "reg:gamma": "exp",
    "reg:tweedie": "exp",
    "count:poisson": "exp",
    "survival:cox": "exp",
    "binary:logistic": "logistic",
    "binary:logitraw": "identity",
    "binary:hinge": "hinge",
    "multi:softprob": "softmax",
    "multi:softmax": "softmax",
}
_CLASSIFIERS = {"binary:logistic", "binary:logitraw", "binary:hinge", "multi:softprob", "multi:softmax"}
_OF_ODDS = {"reg:logistic", "binary:logistic"}  # base_score is a probability


@reads_trees(XGBClassifier, XGBRFClassifier, XGBRegressor, XGBRFRegressor)
def ensemble(model: Any) -> Ensemble:
    """The trees up to the best iteration. Raises UnsupportedModelError."""
    name = type(model).__name__
    booster = model.get_booster()
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    objective = _objective(name, model, learner)
    start = _start(learner, objective)
    trees = list(_trees(name, learner, model, len(start)))
    forest = forest_of(trees, int(booster.num_features()), len(start))
    # XGBClassifier.predict asks of a margin, too, whether it is above 0.5.
    cut = 0.5 if objective == "binary:logitraw" else 0.0
    answer = Answers(_LINKS[objective], objective in _CLASSIFIERS, cut=cut)
    encoder = _encoder(name, _grown(learner["gradient_booster"]))
    return Ensemble(with_start(forest, start), answer, reads=np.float32, encoder=encoder)


def _objective(name: str, model: Any, learner: dict[str, Any]) -> str:
    if callable(model.objective):
        raise UnsupportedModelError(
            f"{name}: an objective of your own does not say how a score becomes a prediction. Train "
            f"with one of XGBoost's: {', '.join(_LINKS)}."
        )
    found = str(learner["objective"]["name"])
    classifier = isinstance(model, XGBClassifier)
    if found not in _LINKS or (found in _CLASSIFIERS) != classifier:
        raise UnsupportedModelError(
            f"{name}: objective={found!r} does not convert; expected one of "
            f"{', '.join(known for known in _LINKS if (known in _CLASSIFIERS) == classifier)}."
        )
    targets = int(learner["learner_model_param"].get("num_target", 1))
    if classifier and (targets > 1 or (found.startswith("multi:") and model.n_classes_ == 2)):
        raise UnsupportedModelError(
            f"{name}: it predicts several labels for one input. Train one model a label."
        )
    return found


def _start(learner: dict[str, Any], objective: str) -> NDArray[np.float64]:
    """(outputs,): base_score as a raw score."""
    parameters = learner["learner_model_param"]
    written = json.loads(parameters["base_score"])  # a list since XGBoost 3, a number before
    score = np.atleast_1d(np.asarray(written, np.float32)).astype(np.float64)
    if objective in _OF_ODDS:
        score = -np.log(1.0 / score - 1.0)
    elif _LINKS[objective] == "exp":
        score = np.log(score)
    count = max(1, int(parameters["num_class"]), int(parameters.get("num_target", 1)), len(score))
    return np.broadcast_to(score, (count,)).copy()


def _trees(name: str, learner: dict[str, Any], model: Any, outputs: int) -> Iterator[Tree]:
    booster = learner["gradient_booster"]
    if booster["name"] not in ("gbtree", "dart"):
        raise UnsupportedModelError(
            f"{name}: booster={booster['name']!r} has no trees. Train one of scikit-learn's linear "
            "models, such as ElasticNet or LogisticRegression, which convert."
        )
    grown = _grown(booster)
    count = len(grown["trees"])
    weights = booster.get("weight_drop", [1.0] * count)
    with suppress(AttributeError):  # set by early stopping, which predict follows
        count = grown["iteration_indptr"][model.best_iteration + 1]
    for tree, group, weight in zip(
        grown["trees"][:count], grown["tree_info"][:count], weights[:count], strict=True
    ):
        yield _tree(tree, group, np.float32(weight), float(model.missing), outputs)


def _grown(booster: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = booster["gbtree"]["model"] if booster["name"] == "dart" else booster["model"]
    return found


def _encoder(name: str, grown: dict[str, Any]) -> Categories | None:
    """The categories of a DataFrame's columns, which XGBoost keeps since 3.1."""
    columns = enumerate(grown.get("cats", {}).get("enc", ()))
    known = {at: _categories(name, enc) for at, enc in columns if enc["values"]}
    return Categories(known) if known else None


def _categories(name: str, written: dict[str, Any]) -> list[Any]:
    """Whole numbers, or the bytes of all texts and where each begins."""
    values, offsets = written["values"], written.get("offsets")
    if offsets is None:
        return [int(value) for value in values]
    if min(values) < 0 or max(values) > 127:
        raise UnsupportedModelError(
            f"{name}: a category has letters beyond ASCII, of which XGBoost keeps a part only. "
            "Rename the categories, and train again."
        )
    return [bytes(values[begin:end]).decode() for begin, end in pairwise(offsets)]


def _tree(tree: dict[str, Any], group: int, weight: np.float32, missing: float, outputs: int) -> Tree:
    left = np.array(tree["left_children"], np.int64)
    leaf = left == LEAF
    condition = np.array(tree["split_conditions"], np.float32)
    default_left = np.array(tree["default_left"], bool)
    return Tree(
        feature=np.where(leaf, 0, np.array(tree["split_indices"], np.int64)),
        threshold=np.where(leaf, 0.0, below(condition)),
        left=left,
        right=np.where(leaf, LEAF, np.array(tree["right_children"], np.int64)),
        missing_left=default_left,
        values=_leaf_values(tree, leaf, condition, group, outputs) * np.float64(weight),
        intervals=_splits(tree, ~leaf, condition, default_left, np.float32(missing)),
    )


def _leaf_values(
    tree: dict[str, Any],
    leaf: NDArray[np.bool_],
    condition: NDArray[np.float32],
    group: int,
    outputs: int,
) -> NDArray[np.float64]:
    """A leaf's condition is its value, for the tree's own output; of a tree for all outputs, a row."""
    values = np.zeros((len(leaf), outputs))
    if int(tree["tree_param"]["size_leaf_vector"]) <= 1:
        values[leaf, group] = condition[leaf]
    elif "leaf_weights" in tree:  # one row a leaf, whose number is where a right child would be
        rows = np.array(tree["leaf_weights"], np.float32).reshape(-1, outputs)
        values[leaf] = rows[np.array(tree["right_children"])[leaf]]
    else:  # before XGBoost 3.1 one row a node
        values[leaf] = np.array(tree["base_weights"], np.float32).reshape(-1, outputs)[leaf]
    return values


def _splits(
    tree: dict[str, Any],
    inner: NDArray[np.bool_],
    condition: NDArray[np.float32],
    default_left: NDArray[np.bool_],
    missing: np.float32,
) -> dict[int, Intervals]:
    """Splits by categories, and every split where a number counts as missing (`missing=`)."""
    sets = _category_sets(tree)
    nodes = sets if np.isnan(missing) else np.flatnonzero(inner).tolist()
    found = {}
    for node in nodes:
        if node in sets:
            edges = _edges(sets[node])
            decide = partial(_category_goes_left, sets[node])
        else:
            edges = below(condition[node : node + 1])
            decide = partial(_number_goes_left, condition[node])
        if not np.isnan(missing):
            edges = np.append(edges, [*below(np.array([missing])), missing])
            decide = partial(_default_or, decide, missing, default_left[node])
        found[int(node)] = intervals(edges, decide)
    return found


def _category_sets(tree: dict[str, Any]) -> dict[int, NDArray[np.int64]]:
    """The members of each split by categories, sorted, by node."""
    categories = np.array(tree["categories"], np.int64)
    return {
        node: np.sort(categories[begin : begin + size])
        for node, begin, size in zip(
            tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True
        )
    }


def _edges(members: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where the decision may change: XGBoost cuts off a category's fraction, 2.7 is in 2."""
    return below(np.append(members, members + 1).astype(np.float32))


def _category_goes_left(members: NDArray[np.int64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (x < 0) | ~np.isin(np.trunc(x), members)


def _number_goes_left(condition: np.float32, x: NDArray[np.float64]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = x < condition
    return found


def _default_or(
    decide: Any, missing: np.float32, default_left: np.bool_, x: NDArray[np.float64]
) -> NDArray[np.bool_]:
    return np.where(x == missing, default_left, decide(x))
