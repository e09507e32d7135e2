"""scikit-learn to ONNX: walks a fitted model's steps and gives each to what converts it best.

block                          → its own nodes
scalers in front of trees      → the trees' thresholds
trees and forests              → converter.lowering.trees, leaf for leaf
gradient boosting              → converter.lowering.boosting, leaf for leaf
everything else                → skl2onnx, step by step
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from converter.blocks import Block
from converter.foreign import without_name_warnings
from converter.frontends.base import Converted, Halves
from converter.graph import Graph
from converter.lowering.boosting import BOOSTING, add_classes, add_value, read_boosting
from converter.lowering.trees import add_average, add_sum, fold_scalers, read_forest
from converter.source import Source
from edge_runtime.bundle.manifest import Input, Output, Step
from edge_runtime.errors import InputError, UnsupportedModelError

# Exactly these: a subclass may predict otherwise.
_TREES = {
    DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor,
    RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor,
}  # fmt: skip
_MONOTONE = {MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler}
_NO_SPLITS = (np.empty(0, np.int64), np.empty(0, np.float32))


@dataclass(frozen=True)
class _Plan:
    """Who converts which step. `scalers` are folded into the trees, so only trees have any."""

    block: Block | None
    adapted: tuple[tuple[str, Any], ...]
    scalers: tuple[Any, ...]
    final: tuple[str, Any]
    is_tree: bool


@dataclass(frozen=True)
class _Final:
    """The predictor's outputs in the graph, by name, and the splits of a tree that was folded."""

    values: dict[str, str]
    splits: tuple[NDArray[np.int64], NDArray[np.float32]] = _NO_SPLITS


def convert(source: Source, shape: tuple[int, ...], value_columns: int | None) -> Converted:
    """Convert a fitted model whose inputs have `shape`, (features,) or (samples, axes).

    `value_columns` is the width of a regressor's prediction, None when it is one number a row.
    Raises UnsupportedModelError, naming the step, where no conversion exists.
    """
    plan = _plan(source)
    graph = Graph()
    name = "windows" if plan.block else "rows"
    rows = graph.input(name, "float32", (None, *shape))
    features = _add_features(graph, rows, plan, shape)
    final = _add_final(graph, features, source, plan, shape[-1])
    outputs = _outputs(source, value_columns)
    values = {**final.values}
    if "value" in values:
        columns = np.array([-1] if value_columns is None else [-1, value_columns])
        values["value"] = graph.node("Reshape", values["value"], graph.constant(columns))
    raw = graph.to_bytes({out.name: (values[out.name], out.dtype, out.shape) for out in outputs})
    computed = plan.block is not None or bool(plan.adapted)
    return Converted(
        onnx=raw,
        input=Input(name=name, dtype="float32", shape=(None, *shape)),
        outputs=outputs,
        steps=_steps(plan),
        exact="leaves" if plan.is_tree and not plan.adapted else "",
        used_skl2onnx=bool(plan.adapted) or not plan.is_tree,
        splits=_NO_SPLITS if computed else final.splits,
        halves=_halves(source, plan, shape) if plan.is_tree and computed else None,
    )


def check_shape(source: Source, shape: tuple[int, ...]) -> None:
    """Refuse inputs whose shape, (features,) or (samples, axes), is not the model's: InputError."""
    plan = _plan(source)
    if plan.block is not None:
        expected = plan.block.window_shape()
        if shape != expected:
            raise InputError(
                f"inputs: expected windows of shape {expected}, (samples, axes), as the model was "
                f"trained on; found {shape}."
            )
        return
    if len(shape) != 1:
        raise InputError(
            f"inputs: expected rows of shape (inputs, features), found {len(shape) + 1} dimensions. "
            "Windows need a block, such as converter.blocks.WindowFeatures, as the first step."
        )
    known = getattr(source.steps[0][1], "n_features_in_", shape[0])
    if known != shape[0]:
        raise InputError(f"inputs: expected {known} features, as in training; found {shape[0]}.")


def _plan(source: Source) -> _Plan:
    steps = list(source.steps)
    block = steps.pop(0)[1] if isinstance(steps[0][1], Block) and len(steps) > 1 else None
    for name, step in steps:
        if isinstance(step, Block):
            raise UnsupportedModelError(
                f"step {name!r} ({type(step).__name__}): a block must be the first step of a Pipeline."
            )
    *middle, final = steps
    is_tree = type(final[1]) in _TREES | BOOSTING
    # What a scaler in the middle of other steps sees need not be float32, so only leading ones fold.
    folds = is_tree and all(_is_monotone(step) for _, step in middle)
    return _Plan(
        block=block,
        adapted=() if folds else tuple(middle),
        scalers=tuple(step for _, step in middle) if folds else (),
        final=final,
        is_tree=is_tree,
    )


def _is_monotone(step: Any) -> bool:
    """A scaler that never decreases in any feature: all scales finite and above 0."""
    if type(step) not in _MONOTONE:
        return False
    scale = step.scale_
    return scale is None or bool(np.all(np.isfinite(scale)) and np.all(scale > 0))


def _add_features(graph: Graph, value: str, plan: _Plan, shape: tuple[int, ...]) -> str:
    """Everything in front of the predictor and its scalers."""
    if plan.block is not None:
        value = plan.block.add_to_graph(graph, value)
    width = shape[-1]
    for name, step in plan.adapted:
        from converter.frontends.skl2onnx_adapter import Fitted, add_transformer

        width = _width(step, width)
        value = add_transformer(graph, value, Fitted(name, step, width))
    return value


def _width(step: Any, otherwise: int) -> int:
    return int(getattr(step, "n_features_in_", otherwise))


def _add_final(graph: Graph, features: str, source: Source, plan: _Plan, width: int) -> _Final:
    name, model = plan.final
    classifier = source.task == "classification"
    if type(model) in _TREES:
        return _add_forest(graph, features, plan, classifier=classifier)
    if type(model) in BOOSTING:
        return _add_boosting(graph, features, plan, classifier=classifier)
    from converter.frontends.skl2onnx_adapter import Fitted, add_classifier, add_regressor

    step = Fitted(name, model, _width(model, width))
    if not classifier:
        return _Final({"value": add_regressor(graph, features, step)})
    label, scores = add_classifier(graph, features, step, source.classes)
    return _Final({"label": label, "probabilities": scores})


def _add_forest(graph: Graph, features: str, plan: _Plan, *, classifier: bool) -> _Final:
    forest = read_forest(plan.final[1], classifier=classifier)
    thresholds = fold_scalers(forest, plan.scalers)
    average = add_average(graph, features, forest, thresholds)
    splits = (forest.feature[forest.inner], thresholds[forest.inner])
    if not classifier:
        return _Final({"value": average}, splits)
    label = graph.node("ArgMax", average, axis=1, keepdims=0)
    return _Final({"label": label, "probabilities": average}, splits)


def _add_boosting(graph: Graph, features: str, plan: _Plan, *, classifier: bool) -> _Final:
    name, model = plan.final
    boosting = read_boosting(model, f"step {name!r} ({type(model).__name__})")
    forest = boosting.forest
    thresholds = fold_scalers(forest, plan.scalers)
    scores = add_sum(graph, features, forest, thresholds)
    splits = (forest.feature[forest.inner], thresholds[forest.inner])
    if not classifier:
        return _Final({"value": add_value(graph, scores, boosting)}, splits)
    label, probabilities = add_classes(graph, scores, boosting)
    return _Final({"label": label, "probabilities": probabilities}, splits)


def _outputs(source: Source, value_columns: int | None) -> tuple[Output, ...]:
    if source.task == "regression":
        shape = (None,) if value_columns is None else (None, value_columns)
        return (Output(name="value", dtype="float32", shape=shape, meaning="value"),)
    label = Output(name="label", dtype="int64", shape=(None,), meaning="label")
    if not source.has_probabilities:
        return (label,)
    shape = (None, len(source.classes))
    return (
        label,
        Output(name="probabilities", dtype="float32", shape=shape, meaning="probabilities"),
    )


def _steps(plan: _Plan) -> tuple[Step, ...]:
    """The preprocessing, for people to read."""
    steps = []
    if plan.block is not None:
        steps.append(Step(name=type(plan.block).__name__, parameters=plan.block.describe()))
    steps += [Step(name=type(step).__name__) for _, step in plan.adapted]
    steps += [Step(name=type(s).__name__, parameters={"into": "thresholds"}) for s in plan.scalers]
    return tuple(steps)


def _halves(source: Source, plan: _Plan, shape: tuple[int, ...]) -> Halves:
    graph = Graph()
    rows = graph.input("windows" if plan.block else "rows", "float32", (None, *shape))
    value = _add_features(graph, rows, plan, shape)
    raw = graph.to_bytes({"features": (value, "float32", (None, plan.final[1].n_features_in_))})
    count = int(plan.block is not None) + len(plan.adapted)
    before, after = Pipeline(list(source.steps[:count])), Pipeline(list(source.steps[count:]))

    def features(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        with without_name_warnings():
            return np.asarray(before.transform(rows.copy()), dtype=np.float32)

    return Halves(raw, features, after)
