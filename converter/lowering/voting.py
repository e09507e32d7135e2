"""Ensembles whose members each answer: Voting, Stacking, Bagging, AdaBoost, calibration."""

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    RandomTreesEmbedding,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.isotonic import IsotonicRegression

from converter.lowering import registry
from converter.lowering.forests import leaf_indicator
from converter.lowering.labels import binary, by_probability, largest, logistic, softmax
from converter.lowering.registry import Array, Scores, classifies, regresses, transforms
from converter.lowering.table import Table, matrix
from converter.tracing import ops
from edge_runtime.errors import UnsupportedModelError


@classifies(VotingClassifier, reads="table")
def voting_classifier(model: VotingClassifier, x: Table) -> Scores:
    """Soft: the weighted mean of the members' probabilities. Hard: the class with most votes."""
    members = [registry.scores(member, x) for member in model.estimators_]
    weights = model._weights_not_none or [1.0] * len(members)
    if model.voting == "soft":
        total = sum(_chances(m) * w for m, w in zip(members, weights, strict=True))
        return by_probability(total / np.sum(weights))
    # The members learnt encoded classes: 0 … k-1, those of them that each one saw.
    classes = np.arange(len(model.classes_))
    votes: Any = 0.0
    for member, said, weight in zip(model.estimators_, members, weights, strict=True):
        chosen: Any = ops.take(np.asarray(member.classes_, dtype=np.int64), said.label)
        votes = votes + (chosen[:, None] == classes).astype(np.float64) * weight
    return Scores(largest(votes))


@transforms(VotingClassifier, reads="table")
def voting_classifier_step(model: VotingClassifier, x: Table) -> Array:
    """The members' probabilities side by side, or their votes."""
    members = [registry.scores(member, x) for member in model.estimators_]
    if model.voting == "soft":
        if not model.flatten_transform:
            raise UnsupportedModelError(
                "VotingClassifier with flatten_transform=False gives a three-dimensional array, which "
                "no step reads. Use flatten_transform=True."
            )
        return np.concatenate([_chances(m) for m in members], axis=1)
    return np.stack([_class_of(e, m) for e, m in zip(model.estimators_, members, strict=True)], axis=1)


@regresses(VotingRegressor, reads="table")
def voting_regressor(model: VotingRegressor, x: Table) -> Array:
    """The weighted mean of the members."""
    weights = np.asarray(model._weights_not_none or [1.0] * len(model.estimators_), dtype=np.float64)
    return _values(model, x) @ (weights / weights.sum())


@transforms(VotingRegressor, reads="table")
def _values(model: VotingRegressor, x: Table) -> Array:
    members = [registry.value(member, x).astype(np.float64) for member in model.estimators_]
    return np.stack(members, axis=1)


@classifies(StackingClassifier, reads="table")
def stacking_classifier(model: StackingClassifier, x: Table) -> Scores:
    """The final estimator, on what the members say."""
    if isinstance(model._label_encoder, list):
        raise UnsupportedModelError(
            "StackingClassifier of several labels cannot be converted. Convert one model a label."
        )
    return registry.scores(model.final_estimator_, stacked(model, x))


@regresses(StackingRegressor, reads="table")
def stacking_regressor(model: StackingRegressor, x: Table) -> Array:
    """The final estimator, on what the members say."""
    return registry.value(model.final_estimator_, stacked(model, x))


@transforms(StackingClassifier, StackingRegressor, reads="table")
def stacked(model: Any, x: Table) -> Array:
    """What the members say side by side; of two classes' probabilities only the second."""
    parts = [
        _said(model, member, method, x)
        for member, method in zip(model.estimators_, model.stack_method_, strict=True)
    ]
    if model.passthrough:
        parts.append(matrix(x, np.float64))
    return np.concatenate(parts, axis=1)


def _said(model: Any, member: Any, method: str, x: Table) -> Array:
    if method == "predict" and type(model) is StackingRegressor:
        found = registry.value(member, x).astype(np.float64)
        return found[:, None] if found.ndim == 1 else found
    found = registry.scores(member, x)
    if method == "predict":
        return _class_of(member, found)[:, None]
    said = (found.probabilities if method == "predict_proba" else found.decision).astype(np.float64)
    if said.ndim == 1:
        return said[:, None]
    return said[:, 1:] if method == "predict_proba" and len(model.classes_) == 2 else said


@classifies(BaggingClassifier, reads="table")
def bagging_classifier(model: BaggingClassifier, x: Table) -> Scores:
    """The mean of the members' probabilities, or of their votes; each sees its own columns."""
    count = len(model.classes_)
    total: Any = 0.0
    decisions: list[Array] = []
    for member, columns in zip(model.estimators_, model.estimators_features_, strict=True):
        said = registry.scores(member, x.take(columns.tolist()))
        seen = np.asarray(member.classes_, dtype=np.int64)  # indices into the whole model's classes
        if said.probabilities is None:
            chosen: Any = ops.take(seen, said.label)
            total = total + (chosen[:, None] == np.arange(count)).astype(np.float64)
        else:
            total = total + _chances(said) @ np.eye(count)[seen]
        if said.decision is not None:
            decisions.append(said.decision)
    every = hasattr(model, "decision_function") and len(decisions) == len(model.estimators_)
    decision = sum(decisions) / len(decisions) if every else None
    return by_probability(total / len(model.estimators_), decision)


@regresses(BaggingRegressor, reads="table")
def bagging_regressor(model: BaggingRegressor, x: Table) -> Array:
    """The mean of the members; each sees its own columns."""
    total: Any = 0.0
    for member, columns in zip(model.estimators_, model.estimators_features_, strict=True):
        total = total + registry.value(member, x.take(columns.tolist())).astype(np.float64)
    return total / len(model.estimators_)


@classifies(AdaBoostClassifier, reads="table")
def adaboost_classifier(model: AdaBoostClassifier, x: Table) -> Scores:
    """SAMME: a member's class gains its weight, the others lose their share of it."""
    classes, weights = model.classes_, model.estimator_weights_[: len(model.estimators_)]
    count = len(classes)
    total: Any = 0.0
    for member, weight in zip(model.estimators_, weights, strict=True):
        said = ops.take(np.searchsorted(classes, member.classes_), registry.scores(member, x).label)
        total = total + np.where(said[:, None] == np.arange(count), weight, -weight / (count - 1))
    total = total / weights.sum()
    if count > 2:
        return Scores(largest(total), softmax(total / (count - 1)), total)
    decision = total[:, 1] - total[:, 0]
    return binary(logistic(decision), decision > 0, decision)


@regresses(AdaBoostRegressor, reads="table")
def adaboost_regressor(model: AdaBoostRegressor, x: Table) -> Array:
    """The weighted median of the members."""
    members = [registry.value(member, x).astype(np.float64) for member in model.estimators_]
    said = np.stack(members, axis=1)
    weights = model.estimator_weights_[: len(members)]
    order = np.argsort(said, axis=1)
    reached = np.cumsum(ops.take(weights, order), axis=1)
    middle = np.argmax((reached >= 0.5 * reached[:, -1:]).astype(np.int64), axis=1)
    return np.take_along_axis(np.sort(said, axis=1), middle[:, None], axis=1)[:, 0]


@classifies(CalibratedClassifierCV, reads="table")
def calibrated(model: CalibratedClassifierCV, x: Table) -> Scores:
    """The mean over folds of each classifier's calibrated probabilities."""
    total: Any = 0.0
    for fold in model.calibrated_classifiers_:
        total = total + _calibrated_fold(fold, x)
    return by_probability(total / len(model.calibrated_classifiers_))


def _calibrated_fold(fold: Any, x: Table) -> Array:
    said = registry.scores(fold.estimator, x)
    count = len(fold.classes)
    by_decision = hasattr(fold.estimator, "decision_function")
    given = (said.decision if by_decision else said.probabilities).astype(np.float64)
    if not by_decision and count == 2:
        given = given[:, 1:]  # as scikit-learn asks a binary classifier
    if given.ndim == 1:
        given = given[:, None]
    if fold.method == "temperature":
        return _by_temperature(fold, given, by_decision=by_decision)
    where = np.searchsorted(fold.classes, fold.estimator.classes_).tolist()
    if count == 2:
        likely = _calibrate(fold.calibrators[0], given[:, 0])
        return np.stack([1.0 - likely, likely], axis=1)
    columns = {
        at: _calibrate(calibrator, given[:, i])
        for i, (at, calibrator) in enumerate(zip(where, fold.calibrators, strict=True))
    }
    nothing = np.zeros_like(given[:, 0])
    chances = np.stack([columns.get(at, nothing) for at in range(count)], axis=1)
    total = np.sum(chances, axis=1, keepdims=True)
    return np.where(total != 0, chances / np.where(total != 0, total, 1.0), 1.0 / count)


def _by_temperature(fold: Any, given: Array, *, by_decision: bool) -> Array:
    """Logits times β through softmax; probabilities become logits by their logarithm."""
    if given.shape[1] == 1:
        if by_decision:
            given = np.concatenate([-given, given], axis=1)
        else:
            given = np.log(np.concatenate([1 - given, given], axis=1) + 1e-12)
    elif not by_decision:
        given = np.log(given + 1e-12)
    return softmax(given * float(fold.calibrators[0].beta_))


def _calibrate(calibrator: Any, score: Array) -> Array:
    if type(calibrator) is IsotonicRegression:
        return registry.value(calibrator, score[:, None])
    return logistic(-(score * calibrator.a_ + calibrator.b_))


@transforms(RandomTreesEmbedding, reads="table")
def random_trees_embedding(model: RandomTreesEmbedding, x: Table) -> Array:
    """One column a leaf, 1 where a row ends."""
    # Which leaves have a column is what the encoder was fitted on.
    return leaf_indicator(model, matrix(x), model.one_hot_encoder_.categories_)


def _chances(said: Scores) -> Array:
    """A member's probabilities, in float64."""
    assert said.probabilities is not None
    return said.probabilities.astype(np.float64)


def _class_of(model: Any, said: Scores) -> Array:
    """The class itself as a number, where classes are numbers."""
    classes = np.asarray(model.classes_)
    if classes.dtype.kind not in "biuf":
        raise UnsupportedModelError(
            f"{type(model).__name__}'s class names are the next step's input; expected numbers, found "
            f"{classes.tolist()[:4]}. Encode the labels as numbers before training."
        )
    return ops.take(classes.astype(np.float64), said.label)
