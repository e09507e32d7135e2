"""Estimators that put others in a row, side by side, or behind a rule."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.feature_selection import RFE, RFECV
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)

# Public only once an author asks for them.
from sklearn.model_selection._search_successive_halving import (
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
)
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.utils import check_array

from converter.lowering import registry, trees
from converter.lowering.inverse import inverse_transform
from converter.lowering.registry import Array, Method, Scores, classifies, regresses, transforms
from converter.lowering.table import Table, matrix
from converter.lowering.thresholds import is_monotone
from converter.tracing.trace import trace

_SEARCHES = (GridSearchCV, RandomizedSearchCV, HalvingGridSearchCV, HalvingRandomSearchCV)


def steps_of(model: Any) -> list[tuple[str, Any]]:
    """The steps of a Pipeline in order, those of nested ones too, without those that do nothing."""
    if type(model) is not Pipeline:
        return [("model", model)]
    found: list[tuple[str, Any]] = []
    for name, given in model.steps:
        step = innermost(given)
        if type(step) is Pipeline:
            found += steps_of(step)
        elif step is not None and not isinstance(step, str):  # "passthrough"
            found.append((name, step))
    return found


@transforms(Pipeline, reads="table")
def pipeline_transform(model: Pipeline, x: Table) -> Array | Table:
    """Step after step."""
    return _through(steps_of(model), x)


@regresses(Pipeline, reads="table")
def pipeline_value(model: Pipeline, x: Table) -> Array:
    """Step after step, then the last one's prediction."""
    return _predicted("value", model, x)


@classifies(Pipeline, reads="table")
def pipeline_scores(model: Pipeline, x: Table) -> Scores:
    """Step after step, then the last one's classes."""
    scores: Scores = _predicted("scores", model, x)
    return scores


def _predicted(method: Method, model: Pipeline, x: Array | Table) -> Any:
    """The last step's answer. Scalers between float32 numbers and trees vanish into the thresholds."""
    *before, (name, final) = steps_of(model)
    monotone = 0
    while trees.has_trees(final) and monotone < len(before) and is_monotone(before[-1 - monotone][1]):
        monotone += 1
    split = len(before) - monotone
    x = _through(before[:split], x)
    scalers = [step for _, step in before[split:]]
    if scalers and not (isinstance(x, Table) and x.is_text) and matrix(x).dtype == np.float32:
        whole, rows = Pipeline([*before[split:], (name, final)]), matrix(x)
        with registry.named(name):
            return registry.recorded(method, whole, rows, lambda: trees.answer(final, rows, scalers))
    x = _through(before[split:], x)
    with registry.named(name):
        return registry.call(method, final, x)


def _through(steps: Sequence[tuple[str, Any]], x: Array | Table) -> Array | Table:
    for name, step in steps:
        with registry.named(name):
            x = registry.transform(step, x)
    return x


@transforms(ColumnTransformer, reads="table")
def column_transformer(model: ColumnTransformer, x: Table) -> Table:
    """Each transformer's answer about its columns, side by side in the order of `transformers_`."""
    parts: list[Any] = []
    for name, step, _ in model.transformers_:
        columns = list(model._transformer_to_input_indices[name])
        if (isinstance(step, str) and step == "drop") or not columns:
            continue
        with registry.named(name):
            taken = x.take(columns)
            passes = isinstance(step, str)  # "passthrough"
            parts += Table.of(taken if passes else registry.transform(step, taken)).blocks
    return Table(tuple(parts))


@transforms(FeatureUnion, reads="table")
def feature_union(model: FeatureUnion, x: Table) -> Table:
    """Each transformer's answer about all columns, side by side, times its weight."""
    parts: list[Any] = []
    weights = model.transformer_weights or {}
    for name, step in model.transformer_list:
        if isinstance(step, str) and step == "drop":
            continue
        with registry.named(name):
            passes = step is None or isinstance(step, str)
            found = Table.of(x if passes else registry.transform(step, x))
            if name in weights:
                found = Table((matrix(found) * weights[name],))
            parts += found.blocks
    return Table(tuple(parts))


@transforms(FunctionTransformer, reads="table")
def function_transformer(step: FunctionTransformer, x: Table) -> Array | Table:
    """The user's function, traced; without one, nothing."""
    checks = getattr(step.func, "func", step.func) is check_array  # inside histogram boosting
    if step.func is None or checks:
        return x
    arguments = step.kw_args or {}
    return trace(lambda given: step.func(given, **arguments), matrix(x), names=x.names, code=step.func)


def _wrappers() -> dict[type, str]:
    """Models that ask another one, whatever the input: where that one is."""
    found: dict[type, str] = dict.fromkeys(_SEARCHES, "best_estimator_")
    found[SelfTrainingClassifier] = "estimator_"
    with suppress(ImportError):  # scikit-learn has it since 1.6
        from sklearn.frozen import FrozenEstimator

        found[FrozenEstimator] = "estimator"
    return found


_WRAPPERS = _wrappers()


def _asks(method: Method, model: Any, x: Table) -> Any:
    return registry.call(method, getattr(model, _WRAPPERS[type(model)]), x)


transforms(*_WRAPPERS, reads="table")(partial(_asks, "transform"))
regresses(*_WRAPPERS, reads="table")(partial(_asks, "value"))
classifies(*_WRAPPERS, reads="table")(partial(_asks, "scores"))


@regresses(RFE, RFECV, reads="table")
def selected_value(model: Any, x: Table) -> Array:
    """The estimator that was fitted on the columns it chose."""
    return registry.value(model.estimator_, x.take(model.get_support(indices=True).tolist()))


@classifies(RFE, RFECV, reads="table")
def selected_scores(model: Any, x: Table) -> Scores:
    """The estimator that was fitted on the columns it chose."""
    return registry.scores(model.estimator_, x.take(model.get_support(indices=True).tolist()))


@classifies(FixedThresholdClassifier, TunedThresholdClassifierCV, reads="table")
def threshold(model: Any, x: Table) -> Scores:
    """A binary classifier's score for one class, against a threshold that need not be one half."""
    estimator = getattr(model, "estimator_", model.estimator)
    found = registry.scores(estimator, x)
    tuned = type(model) is TunedThresholdClassifierCV
    positive = model._curve_scorer._get_pos_label() if tuned else model.pos_label
    classes = estimator.classes_
    at = 1 if positive is None else int(np.flatnonzero(classes == positive)[0])
    by_decision = _asks_decision(model, estimator)
    if by_decision:
        score = found.decision if at else -found.decision
        limit = 0.0
    else:
        score, limit = found.probabilities[:, at], 0.5
    limit = model.best_threshold_ if tuned else limit if model.threshold == "auto" else model.threshold
    # Of the class asked about or, below the threshold, of the other one.
    label = np.where(score >= limit, at, 1 - at).astype(np.int64)
    return Scores(label, found.probabilities, found.decision)


def _asks_decision(model: Any, estimator: Any) -> bool:
    asked = model._get_response_method()
    wanted = [asked] if isinstance(asked, str) else asked
    return next(name for name in wanted if hasattr(estimator, name)) == "decision_function"


@regresses(TransformedTargetRegressor, reads="table")
def transformed_target(model: TransformedTargetRegressor, x: Table) -> Array:
    """The regressor's prediction, taken back through the target's transformation."""
    value = registry.value(model.regressor_, x)
    value = value[:, None] if value.ndim == 1 else value
    back = inverse_transform(model.transformer_, value)
    return back[:, 0] if model._training_dim == 1 and back.shape[1] == 1 else back


def innermost(model: Any) -> Any:
    """What a fitted search, a frozen estimator or self-training ends up asking, whatever the input."""
    while (attribute := _WRAPPERS.get(type(model))) and hasattr(model, attribute):
        model = getattr(model, attribute)
    return model
