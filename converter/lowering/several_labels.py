"""Many binary classifiers as one of many classes, and one model a target."""

from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.multiclass import (
    OneVsOneClassifier,
    OneVsRestClassifier,
    OutputCodeClassifier,
    _ConstantPredictor,
)
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    RegressorChain,
)

from converter.lowering import registry
from converter.lowering.labels import largest, several, smallest
from converter.lowering.registry import Array, Scores, classifies, regresses
from converter.lowering.table import Table, matrix
from converter.tracing import ops


@classifies(_ConstantPredictor)
def constant_predictor(model: Any, x: Array) -> Scores:
    """What OneVsRest puts where a class was never, or always, the answer."""
    share = np.zeros_like(x[:, 0]) + float(np.ravel(model.y_)[0])
    return Scores(share.astype(np.int64), np.stack([1 - share, share], axis=1), share)


@classifies(OneVsRestClassifier, reads="table")
def one_vs_rest(model: OneVsRestClassifier, x: Table) -> Scores:
    """The class whose own classifier is surest; of several labels each that is sure enough."""
    members = [registry.scores(member, x) for member in model.estimators_]
    certain = [_certainty(e, m) for e, m in zip(model.estimators_, members, strict=True)]
    stacked = np.stack(certain, axis=1)
    proba = hasattr(model, "predict_proba")
    likely = _likely(members) if proba else None
    decision = stacked if hasattr(model, "decision_function") else None
    limit = 0.0 if hasattr(model.estimators_[0], "decision_function") else 0.5
    if model.multilabel_:
        label = (stacked > limit).astype(np.int64)
        both = None if likely is None else np.stack([1 - likely, likely], axis=2)
        return Scores(label, both, decision)
    if len(members) == 1:
        label = (stacked[:, 0] > limit).astype(np.int64)
        both = None if likely is None else np.concatenate([1 - likely, likely], axis=1)
        return Scores(label, both, None if decision is None else decision[:, 0])
    if likely is not None:
        total = np.sum(likely, axis=1, keepdims=True)
        likely = likely / np.where(total != 0, total, 1.0)
    return Scores(largest(stacked), likely, decision)


def _likely(members: list[Scores]) -> Array:
    return np.stack([m.probabilities[:, 1].astype(np.float64) for m in members], axis=1)


@classifies(OneVsOneClassifier, reads="table")
def one_vs_one(model: OneVsOneClassifier, x: Table) -> Scores:
    """Votes of every pair, and a confidence below one vote that decides between equals."""
    count = len(model.classes_)
    columns = model.pairwise_indices_ or [None] * len(model.estimators_)
    votes, confidences = [], []
    for member, chosen in zip(model.estimators_, columns, strict=True):
        seen = x if chosen is None else x.take(np.asarray(chosen).tolist())
        said = registry.scores(member, seen)
        votes.append(ops.take(np.asarray(member.classes_, np.float64), said.label))
        confidences.append(_certainty(member, said))
    decision = _votes(np.stack(votes, axis=1), np.stack(confidences, axis=1), count)
    if count == 2:
        limit = 0.0 if hasattr(model.estimators_[0], "decision_function") else 0.5
        return Scores((decision[:, 1] > limit).astype(np.int64), None, decision[:, 1])
    return Scores(largest(decision), None, decision)


def _votes(votes: Array, confidences: Array, count: int) -> Array:
    """scikit-learn's _ovr_decision_function, with constant matrices that add up each class's pairs."""
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    first, second = np.zeros((len(pairs), count)), np.zeros((len(pairs), count))
    for k, (i, j) in enumerate(pairs):
        first[k, i] = second[k, j] = 1.0
    total = (votes == 0).astype(np.float64) @ first + (votes == 1).astype(np.float64) @ second
    confidence = confidences @ (second - first)
    return total + confidence / (3 * (np.abs(confidence) + 1))


@classifies(OutputCodeClassifier, reads="table")
def output_code(model: OutputCodeClassifier, x: Table) -> Scores:
    """The class whose code word is nearest to what the classifiers say."""
    said = np.stack(
        [_certainty(member, registry.scores(member, x)) for member in model.estimators_], axis=1
    )
    words = np.asarray(model.code_book_, dtype=np.float64)
    # ‖s‖² is the same for every class.
    return Scores(smallest(np.sum(words**2, axis=1) - 2 * (said @ words.T)))


def _certainty(member: Any, said: Scores) -> Array:
    """(n,): how sure a binary classifier is of its second class, as scikit-learn asks it."""
    if hasattr(member, "decision_function") and said.decision is not None:
        decision = said.decision.astype(np.float64)
        return decision if decision.ndim == 1 else decision[:, 0]
    assert said.probabilities is not None
    return said.probabilities[:, 1].astype(np.float64)


@classifies(MultiOutputClassifier, reads="table")
def multi_output_classifier(model: MultiOutputClassifier, x: Table) -> Scores:
    """One classifier a label."""
    return several([registry.scores(member, x) for member in model.estimators_])


@regresses(MultiOutputRegressor, reads="table")
def multi_output_regressor(model: MultiOutputRegressor, x: Table) -> Array:
    """One regressor a target."""
    members = [registry.value(member, x).astype(np.float64) for member in model.estimators_]
    return np.stack(members, axis=1)


@classifies(ClassifierChain, reads="table")
def classifier_chain(model: ClassifierChain, x: Table) -> Scores:
    """Each classifier also sees what those before it in the chain said."""
    method = getattr(model, "chain_method_", "predict")
    members: list[Scores] = []
    said: list[Array] = []
    for member in model.estimators_:
        found = registry.scores(member, _with(x, said))
        members.append(found)
        said.append(_as_feature(member, found, method))
    inverse = np.argsort(model.order_).tolist()
    return several([members[at] for at in inverse])


def _as_feature(member: Any, found: Scores, method: str) -> Array:
    if method == "predict_proba":
        assert found.probabilities is not None
        return found.probabilities[:, 1].astype(np.float64)
    if method == "decision_function":
        assert found.decision is not None
        return found.decision.astype(np.float64)
    return ops.take(np.asarray(member.classes_, np.float64), found.label)


@regresses(RegressorChain, reads="table")
def regressor_chain(model: RegressorChain, x: Table) -> Array:
    """Each regressor also sees what those before it in the chain said."""
    said: list[Array] = []
    for member in model.estimators_:
        assert is_regressor(member)
        said.append(registry.value(member, _with(x, said)).astype(np.float64))
    return np.stack([said[at] for at in np.argsort(model.order_).tolist()], axis=1)


def _with(x: Table, said: list[Array]) -> Table:
    """scikit-learn puts the rows and what was said into one float64 array."""
    rows = matrix(x, np.float64)
    return Table.of(np.concatenate([rows, *(value[:, None] for value in said)], axis=1))
