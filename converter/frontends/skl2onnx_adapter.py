"""The one place that calls skl2onnx: one fitted step in, its nodes in our graph out."""

import re
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.ensemble import VotingClassifier
from sklearn.feature_selection import SelectorMixin
from sklearn.preprocessing import KBinsDiscretizer

from converter.foreign import translated, without_future_warnings
from converter.graph import ML, OPSETS, Graph
from converter.lowering.affine import add_affine_model, add_affine_step
from edge_runtime.errors import UnsupportedModelError

# What skl2onnx 1.20 converts without a word, and wrongly; each found by running both sides.
_WRONG = {
    "TunedThresholdClassifierCV": "its threshold would be ignored",
    "FixedThresholdClassifier": "its threshold would be ignored",
    "RadiusNeighborsClassifier": "its graph fails where training rows lie outside the radius",
    "RadiusNeighborsRegressor": "its graph fails where training rows lie outside the radius",
}
# Their labels come as (n, 1) or (1, n), whatever skl2onnx declares.
_LABELS_NOT_FLAT = {"OneVsOneClassifier", "QuadraticDiscriminantAnalysis"}


@dataclass(frozen=True)
class Fitted:
    """A fitted estimator that reads `width` features, and what its Pipeline calls it."""

    name: str
    estimator: Any
    width: int

    def __str__(self) -> str:
        return f"step {self.name!r} ({type(self.estimator).__name__})"


def add_transformer(graph: Graph, rows: str, step: Fitted) -> str:
    """Add a fitted transformer; returns its float32 output."""
    if lowered := add_affine_step(graph, rows, step.estimator):
        return lowered
    # Of a predictor skl2onnx gives the prediction; a selector around one gives its columns.
    if hasattr(step.estimator, "predict") and not isinstance(step.estimator, SelectorMixin):
        if type(step.estimator) in (KMeans, MiniBatchKMeans):
            _, distances = _outputs(graph, rows, step)
            return _as_float(graph, *distances)
        raise UnsupportedModelError(
            f"{step} cannot be converted as a step in front of others: only its prediction can, as the "
            "last one."
        )
    return add_regressor(graph, rows, step)


def add_regressor(graph: Graph, rows: str, step: Fitted) -> str:
    """Add an estimator of one output, a regressor's prediction; returns it as float32."""
    if lowered := add_affine_model(graph, rows, step.estimator):
        return lowered
    model = _converted(step)
    if len(model.graph.output) != 1:
        raise UnsupportedModelError(
            f"{step}: expected one output, skl2onnx gave {len(model.graph.output)}."
        )
    kind = model.graph.output[0].type.tensor_type.elem_type
    (value,) = graph.inline(model, rows)
    return _as_float(graph, value, kind)


def add_classifier(graph: Graph, rows: str, step: Fitted, classes: NDArray[Any]) -> tuple[str, str]:
    """Add a fitted classifier; returns its label as an index into `classes`, and its scores.

    The scores are probabilities only where the estimator has `predict_proba`.
    """
    model = _converted(step, zipmap=False)
    kinds = [output.type.tensor_type.elem_type for output in model.graph.output]
    if len(kinds) != 2:
        raise UnsupportedModelError(
            f"{step}: expected a label and scores, skl2onnx gave {len(kinds)} outputs."
        )
    label, scores = graph.inline(model, rows)
    if type(step.estimator).__name__ in _LABELS_NOT_FLAT:
        label = graph.node("Reshape", label, graph.constant(np.array([-1])))
    return _as_index(graph, label, kinds[0], classes, step), _as_float(graph, scores, kinds[1])


def _outputs(graph: Graph, rows: str, step: Fitted) -> list[tuple[str, int]]:
    """Every output of a step, with its type."""
    model = _converted(step)
    kinds = [output.type.tensor_type.elem_type for output in model.graph.output]
    return list(zip(graph.inline(model, rows), kinds, strict=True))


def _converted(step: Fitted, **options: bool) -> Any:
    for inner in _estimators(step.estimator):
        if reason := _wrong(inner):
            raise UnsupportedModelError(f"{step}: {type(inner).__name__} cannot be converted: {reason}.")
    what = f"{step} cannot be converted by skl2onnx"
    with translated(what, UnsupportedModelError), without_future_warnings():
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import FloatTensorType
        from skl2onnx.common.exceptions import MissingShapeCalculator

        types = [("rows", FloatTensorType([None, step.width]))]
        estimator = _equal(step.estimator)
        given = {id(estimator): options}
        # The operators are written for these sets; the model declares the newest one it needed.
        try:
            model = convert_sklearn(estimator, "", types, options=given, target_opset=OPSETS)
        except NameError:  # an option that this estimator's converter does not know
            model = convert_sklearn(estimator, "", types, target_opset=OPSETS)
        except MissingShapeCalculator as error:
            raise UnsupportedModelError(f"{step} cannot be converted: {_unknown(error)}.") from error
    foreign = {node.domain for node in model.graph.node} - {"", ML}
    if foreign or model.functions:
        raise UnsupportedModelError(
            f"{step}: skl2onnx needs operators of {sorted(foreign) or 'its own'}, which devices do not "
            "run."
        )
    return model


def _equal(estimator: Any) -> Any:
    """The estimator, or a copy with the same answers whose settings skl2onnx takes."""
    copied = copy(estimator)
    if type(estimator) is VotingClassifier:
        copied.flatten_transform = False  # shapes `transform`, never a prediction
    elif type(estimator) is KBinsDiscretizer and estimator.encode == "onehot":
        copied.encode = "onehot-dense"  # the same columns, not sparse
    else:
        return estimator
    return copied


def _unknown(error: Exception) -> str:
    """skl2onnx's paragraph for library authors, in a few words: the class it does not know."""
    found = re.search(r"<class '[\w.]*?(\w+)'>", str(error))
    return f"{found[1] if found else 'it'} has no conversion"


def _estimators(step: Any) -> Iterator[Any]:
    yield step
    for value in step.get_params(deep=True).values():
        if isinstance(value, BaseEstimator):
            yield value


def _wrong(step: Any) -> str:
    if type(step).__name__ == "SimpleImputer" and step.add_indicator:
        return "add_indicator=True would give wrong columns"
    if type(step).__name__ == "OrdinalEncoder" and (step.min_frequency or step.max_categories):
        return "infrequent categories would give a graph that no device loads"
    return _WRONG.get(type(step).__name__, "")


def _as_float(graph: Graph, value: str, kind: int) -> str:
    return value if kind == TensorProto.FLOAT else graph.node("Cast", value, to=TensorProto.FLOAT)


def _as_index(graph: Graph, label: str, kind: int, classes: NDArray[Any], step: Fitted) -> str:
    """skl2onnx gives the class itself; a bundle's graph gives its index."""
    indices = list(range(len(classes)))
    if kind == TensorProto.STRING:
        keys = [str(name) for name in classes.tolist()]
        return graph.node("LabelEncoder", label, domain=ML, keys_strings=keys, values_int64s=indices)
    if classes.dtype.kind not in "biuf" or not np.array_equal(classes, classes.astype(np.int64)):
        raise UnsupportedModelError(
            f"{step}: expected classes that are texts or whole numbers, found {classes.tolist()[:4]}."
        )
    label = label if kind == TensorProto.INT64 else graph.node("Cast", label, to=TensorProto.INT64)
    whole = classes.astype(np.int64).tolist()
    if whole == indices:
        return label
    return graph.node("LabelEncoder", label, domain=ML, keys_int64s=whole, values_int64s=indices)
