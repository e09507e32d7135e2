"""CatBoost's trees, read from the JSON that the fitted model writes of itself.

CatBoost converts numbers to float32 and sends x right where x > border. What it does with a missing
number is a setting of the feature: it counts as below all borders, or as above all.
"""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from catboost import CatBoostClassifier, CatBoostRegressor
from numpy.typing import NDArray

from converter.lowering.boosters.answers import Answers, Link, with_start
from converter.lowering.boosters.splits import Tree, forest_of
from converter.lowering.trees import LEAF, Ensemble, reads_trees
from edge_runtime.errors import UnsupportedModelError

_CLASSIFIERS: dict[str, Link] = {
    "Logloss": "logistic",
    "CrossEntropy": "logistic",
    "Focal": "logistic",
    "MultiClass": "softmax",
    "MultiClassOneVsAll": "logistic",
}
_REGRESSORS: dict[str, Link] = {
    **dict.fromkeys(
        ("RMSE", "MAE", "MAPE", "Quantile", "MultiQuantile", "GroupQuantile", "LogLinQuantile",
         "Expectile", "Lq", "Huber", "LogCosh", "MultiRMSE", "MultiRMSEWithMissingValues", "SurvivalAft",
         "Cox"),
        "identity",
    ),
    "Poisson": "exp",
    "Tweedie": "exp",
}  # fmt: skip
_NOT_NUMBERS = {
    "categorical_features": "categorical",
    "text_features": "text",
    "embedding_features": "embedding",
}


@reads_trees(CatBoostClassifier, CatBoostRegressor)
def ensemble(model: Any) -> Ensemble:
    """All trees of the model: early stopping has shortened it already. Raises UnsupportedModelError."""
    name = type(model).__name__
    dump = _dump(model)
    features = _features(name, dump)
    link = _link(name, model, dump)
    scale, start = dump["scale_and_bias"]
    trees = [_oblivious(tree, features, len(start)) for tree in dump.get("oblivious_trees", ())]
    trees += [_grown(tree, features, len(start)) for tree in dump.get("trees", ())]
    forest = forest_of(trees, len(features), len(start))
    forest = replace(forest, values=forest.values * scale)
    is_classifier = isinstance(model, CatBoostClassifier)
    cut = _cut(model) if is_classifier and len(start) == 1 else 0.0
    forest = with_start(forest, np.asarray(start, np.float64))
    return Ensemble(forest, Answers(link, is_classifier, cut=cut), reads=np.float32)


# CatBoost does not derive from scikit-learn's mixins, which tell a regressor.


def _dump(model: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def _features(name: str, dump: dict[str, Any]) -> list[dict[str, Any]]:
    """The numeric features in their order, which is the order of columns where there are no others."""
    info = dump["features_info"]
    for key, kind in _NOT_NUMBERS.items():
        if info.get(key):
            columns = sorted(int(feature["flat_feature_index"]) for feature in info[key])
            raise UnsupportedModelError(
                f"{name}: {kind} features (columns {columns[:8]}) do not convert: CatBoost makes "
                "numbers of them by hashes and statistics of training. Encode them in front of the "
                "model, as with OneHotEncoder, TargetEncoder or OrdinalEncoder."
            )
    found: list[dict[str, Any]] = info["float_features"]
    assert [feature["flat_feature_index"] for feature in found] == list(range(len(found)))
    return found


def _link(name: str, model: Any, dump: dict[str, Any]) -> Link:
    loss = str(dump["model_info"]["params"]["loss_function"]["type"])
    known = _CLASSIFIERS if isinstance(model, CatBoostClassifier) else _REGRESSORS
    if loss not in known:
        raise UnsupportedModelError(
            f"{name}: loss_function={loss!r} does not convert; expected one of {', '.join(known)}."
        )
    return known[loss]


def _cut(model: Any) -> float:
    """The raw score of the probability above which CatBoost answers the second of two classes."""
    border = float(model.get_probability_threshold())
    return float(np.log(border) - np.log1p(-border))


def _oblivious(tree: dict[str, Any], features: list[dict[str, Any]], outputs: int) -> Tree:
    """All nodes of a level ask the same; bit i of a leaf's number is the answer to split i.

    The last split becomes the root, so that the leaves come in the order of their numbers.
    """
    splits = tree["splits"][::-1]
    depth = len(splits)
    inner, leaves = 2**depth - 1, 2**depth
    level = np.repeat(np.arange(depth), 2 ** np.arange(depth))
    number = np.arange(inner)
    values = np.zeros((inner + leaves, outputs))
    values[inner:] = np.asarray(tree["leaf_values"], np.float64).reshape(leaves, outputs)

    def padded(array: Any, leaf: Any, dtype: type) -> NDArray[Any]:
        return np.concatenate([np.asarray(array, dtype), np.full(leaves, leaf, dtype)])

    asked = [_question(split, features) for split in splits]
    feature, border, missing_left = (np.array([each[i] for each in asked]) for i in range(3))
    return Tree(
        feature=padded(feature[level] if depth else [], 0, np.int64),
        threshold=padded(border[level] if depth else [], 0.0, np.float64),
        left=padded(2 * number + 1, LEAF, np.int64),
        right=padded(2 * number + 2, LEAF, np.int64),
        missing_left=padded(missing_left[level] if depth else [], False, np.bool_),
        values=values,
    )


def _question(split: dict[str, Any], features: list[dict[str, Any]]) -> tuple[int, float, bool]:
    """(column, border, whether a missing number goes left).

    "AsIs" compares NaN with the border, which is false, and false goes left.
    """
    feature = features[split["float_feature_index"]]
    border = float(np.float32(split["border"]))
    return feature["flat_feature_index"], border, feature["nan_value_treatment"] != "AsTrue"


def _grown(tree: dict[str, Any], features: list[dict[str, Any]], outputs: int) -> Tree:
    """A tree grown node by node (grow_policy Depthwise or Lossguide), nested in the dump."""
    nodes: list[dict[str, Any]] = [tree]
    for node in nodes:  # grows as it is walked
        nodes.extend(node[side] for side in ("left", "right") if "split" in node)
    inner = np.array(["split" in node for node in nodes])
    # Children come in pairs, in the order of their parents.
    first = np.where(inner, 1 + 2 * (np.cumsum(inner) - 1), LEAF)
    asked = [
        _question(node["split"], features) if "split" in node else (0, 0.0, False) for node in nodes
    ]
    values = np.zeros((len(nodes), outputs))
    for at in np.flatnonzero(~inner):
        values[at] = nodes[at]["value"]
    return Tree(
        feature=np.array([column for column, _, _ in asked], np.int64),
        threshold=np.array([border for _, border, _ in asked], np.float64),
        left=first,
        right=np.where(inner, first + 1, LEAF),
        missing_left=np.array([missing for _, _, missing in asked], bool),
        values=values,
    )
