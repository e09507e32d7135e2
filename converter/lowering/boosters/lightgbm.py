"""LightGBM's trees, read from the text that the fitted booster writes of itself.

LightGBM compares in float64 and sends x left where x <= threshold; numbers of at most 1e-35 are read as
0. Of a set of categories the members go left, everything else right. What a missing number is differs
from node to node: NaN; NaN and 0; or nothing, then NaN is read as 0 (include/LightGBM/tree.h).
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from lightgbm import LGBMClassifier, LGBMRegressor
from numpy.typing import NDArray

from converter.lowering.boosters.answers import Answers, Link
from converter.lowering.boosters.categories import Categories
from converter.lowering.boosters.splits import Intervals, Tree, forest_of, intervals
from converter.lowering.trees import LEAF, Ensemble, reads_trees
from edge_runtime.errors import UnsupportedModelError

_ZERO = float(np.float32(1e-35))  # kZeroThreshold: this and below, of either sign, is 0
_OF_CATEGORIES, _DEFAULT_LEFT = 1, 2  # bits of decision_type; the next two say what is missing
_ZERO_IS_MISSING, _NAN_IS_MISSING = 1, 2
_LINKS: dict[str, Link] = {
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "fair": "identity",
    "quantile": "identity",
    "mape": "identity",
    "poisson": "exp",
    "gamma": "exp",
    "tweedie": "exp",
    "cross_entropy": "logistic",
    "cross_entropy_lambda": "softplus",
    "binary": "logistic",
    "multiclass": "softmax",
    "multiclassova": "logistic",
}
_CLASSIFIERS = {"binary", "multiclass", "multiclassova", "cross_entropy"}


@reads_trees(LGBMClassifier, LGBMRegressor)
def ensemble(model: Any) -> Ensemble:
    """The trees up to the best iteration. Raises UnsupportedModelError."""
    name = type(model).__name__
    head, *written = _sections(model.booster_.model_to_string())
    answer = _answers(name, model, head.get("objective", ""))
    count = int(head["num_tree_per_iteration"])
    # A forest averages its iterations; its decision_function (since LightGBM 4.7) does not.
    iterations = max(1, len(written) // count) if "average_output" in head else 1
    if hasattr(model, "decision_function"):
        answer = replace(answer, decisions=float(iterations))
    trees = [_tree(name, tree, at % count, iterations, count) for at, tree in enumerate(written)]
    forest = forest_of(trees, int(head["max_feature_idx"]) + 1, count)
    return Ensemble(
        forest, answer, reads=np.float64, reads_whole=np.float32, encoder=_encoder(name, model)
    )


def _encoder(name: str, model: Any) -> Categories | None:
    """The categories of a DataFrame's columns; which columns these are is among the parameters."""
    known = model.booster_.pandas_categorical
    if not known:
        return None
    given = re.search(r"^\[categorical_feature: (.*)\]$", model.booster_.model_to_string(), re.MULTILINE)
    columns = [int(column) for column in given[1].split(",") if column] if given else []
    if len(columns) != len(known):
        raise UnsupportedModelError(
            f"{name}: it was trained on {len(known)} columns of categories, of which LightGBM took "
            f"{len(columns)} as such. Train with categorical_feature='auto' and no ordered categories."
        )
    return Categories(dict(zip(columns, known, strict=True)))


def _sections(text: str) -> Iterator[dict[str, str]]:
    """The head, then every tree, each `name=value` a line."""
    trees, _, _ = text.partition("\nend of trees")
    for section in trees.split("\nTree="):
        lines = (line.partition("=") for line in section.splitlines())
        yield {key: value for key, _, value in lines}


def _answers(name: str, model: Any, written: str) -> Answers:
    """Of the objective as LightGBM writes it: `binary sigmoid:1`, `regression sqrt`."""
    objective, *settings = written.split() or [""]
    is_classifier = isinstance(model, LGBMClassifier)
    known = sorted(_CLASSIFIERS) if is_classifier else sorted(_LINKS)
    if callable(model.objective_) or objective not in known:
        found = "one of your own" if callable(model.objective_) else repr(objective)
        raise UnsupportedModelError(
            f"{name}: its objective, {found}, does not convert; expected one of {', '.join(known)}."
        )
    if model.get_params().get("pred_early_stop"):
        raise UnsupportedModelError(
            f"{name}: pred_early_stop leaves out trees, from row to row others. Set it to False."
        )
    link: Link = "signed-square" if "sqrt" in settings else _LINKS[objective]
    slope = {name: value for name, _, value in (each.partition(":") for each in settings)}
    return Answers(link, is_classifier, slope=float(slope.get("sigmoid", 1)))


def _tree(name: str, tree: dict[str, str], output: int, iterations: int, outputs: int) -> Tree:
    """Inner nodes keep LightGBM's numbers; its leaf i is node `inner nodes + i`."""
    if tree.get("is_linear", "0") != "0":
        raise UnsupportedModelError(
            f"{name}: linear_tree=True puts a linear model into every leaf, which does not convert. "
            "Train without it."
        )
    leaves = int(tree["num_leaves"])
    inner = leaves - 1
    values = np.zeros((inner + leaves, outputs))
    values[inner:, output] = _numbers(tree, "leaf_value", np.float64) / iterations
    kind = _numbers(tree, "decision_type", np.int64)
    threshold = _numbers(tree, "threshold", np.float64)
    by_set = (kind & _OF_CATEGORIES) != 0
    default_left = (kind & _DEFAULT_LEFT) != 0
    reads_nan_as_0 = ((kind >> 2) & 3) == 0
    asked = _widened(threshold)

    def padded(array: NDArray[Any], leaf: Any) -> NDArray[Any]:
        return np.concatenate([array, np.full(leaves, leaf, array.dtype)])

    return Tree(
        feature=padded(_numbers(tree, "split_feature", np.int64), 0),
        threshold=padded(asked, 0.0),
        left=padded(_children(tree, "left_child", inner), LEAF),
        right=padded(_children(tree, "right_child", inner), LEAF),
        missing_left=padded(~by_set & np.where(reads_nan_as_0, threshold >= 0, default_left), False),
        values=values,
        intervals=_splits(tree, kind, threshold, by_set, default_left),
    )


def _numbers(tree: dict[str, str], key: str, dtype: type) -> NDArray[Any]:
    return np.array(tree.get(key, "").split(), dtype=dtype)


def _children(tree: dict[str, str], key: str, inner: int) -> NDArray[np.int64]:
    """LightGBM writes leaf i as -1 - i."""
    child = _numbers(tree, key, np.int64)
    return np.where(child < 0, inner - 1 - child, child)


def _widened(threshold: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thresholds on x that decide as the given ones do where numbers next to 0 are read as 0."""
    near = (threshold >= -_ZERO) & (threshold < _ZERO)
    return np.where(near, np.where(threshold >= 0, _ZERO, np.nextafter(-_ZERO, -np.inf)), threshold)


def _splits(
    tree: dict[str, str],
    kind: NDArray[np.int64],
    threshold: NDArray[np.float64],
    by_set: NDArray[np.bool_],
    default_left: NDArray[np.bool_],
) -> dict[int, Intervals]:
    """Splits by categories, and those for which 0 is missing."""
    found = {}
    begins = _numbers(tree, "cat_boundaries", np.int64)
    words = _numbers(tree, "cat_threshold", np.uint32)
    for node in np.flatnonzero(by_set).tolist():
        which = int(threshold[node])
        members = _members(words[begins[which] : begins[which + 1]])
        found[node] = intervals(_edges(members), partial(_category_goes_left, members))
    for node in np.flatnonzero(~by_set & (((kind >> 2) & 3) == _ZERO_IS_MISSING)).tolist():
        edges = np.array([np.nextafter(-_ZERO, -np.inf), _ZERO, threshold[node]])
        found[node] = intervals(
            edges, partial(_number_or_zero_goes_left, threshold[node], default_left[node])
        )
    return found


def _members(words: NDArray[np.uint32]) -> NDArray[np.int64]:
    """The set bits of 32-bit words, the lowest first."""
    return np.flatnonzero(np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little"))


def _edges(members: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where the decision may change: a category's fraction is cut off, so 2.7 is in 2 and -0.5 in 0."""
    begins = np.where(members == 0, -1.0, np.nextafter(members.astype(np.float64), -np.inf))
    return np.append(begins, np.nextafter(members + 1.0, -np.inf))


def _category_goes_left(members: NDArray[np.int64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.isin(np.trunc(x), members)


def _number_or_zero_goes_left(
    threshold: float, default_left: np.bool_, x: NDArray[np.float64]
) -> NDArray[np.bool_]:
    return np.where(np.abs(x) <= _ZERO, default_left, x <= threshold)
