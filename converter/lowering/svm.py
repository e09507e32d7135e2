"""Support vector machines: libsvm's (one against one) and liblinear's (one against the rest).

Sources: Chang and Lin, "LIBSVM: a library for support vector machines", 2011; Wu, Lin and Weng,
"Probability estimates for multi-class classification by pairwise coupling", 2004, second method; and
scikit-learn's copy of svm.cpp.
"""

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR, NuSVC, NuSVR, OneClassSVM

from converter.lowering.distances import dense
from converter.lowering.kernels import kernel
from converter.lowering.labels import largest, logistic
from converter.lowering.registry import Array, Scores, classifies, regresses
from edge_runtime.errors import UnsupportedModelError

Pairs = list[tuple[int, int]]  # of classes, the lower first, in order
_PASSES = 5  # over the classes, in the coupling of probabilities; libsvm was never seen to take over 4


@regresses(SVR, NuSVR)
def regression(model: Any, x: Array) -> Array:
    """Σ dual_coef k(x, support vector) + intercept."""
    return _weighed(model, x, dense(model.dual_coef_).T, model.intercept_)[:, 0]


@classifies(OneClassSVM)
def one_class(model: Any, x: Array) -> Scores:
    """The same, normal above 0."""
    decision = _weighed(model, x, dense(model.dual_coef_).T, model.intercept_)[:, 0]
    return Scores((decision > 0.0).astype(np.int64), decision=decision)


@classifies(SVC, NuSVC)
def classification(model: Any, x: Array) -> Scores:
    """One decision for every pair of classes; the class of most votes, or of the largest decision."""
    if model.break_ties and model.decision_function_shape == "ovo":
        raise UnsupportedModelError(
            f"{type(model).__name__} with break_ties and decision_function_shape='ovo' predicts "
            "nothing in scikit-learn either. Set break_ties=False."
        )
    pairs = list(combinations(range(len(model.classes_)), 2))
    decided = _weighed(model, x, _of_pairs(model, pairs), model._intercept_)
    coupled = None
    if model.probability and model.probability != "deprecated":
        coupled = _coupled(logistic(-(decided * model._probA + model._probB)), pairs)
    if len(pairs) == 1:
        # libsvm decides for its first class above 0, scikit-learn's decision is for the second
        return Scores((decided[:, 0] <= 0.0).astype(np.int64), coupled, -decided[:, 0])
    decision = decided
    if model.decision_function_shape == "ovr":
        # of a decision of exactly 0 this is the first class's vote, and the second's in libsvm
        decision = one_against_rest(decided >= 0.0, decided, pairs)
    votes = _votes(decided > 0.0, *_ends(pairs))
    label = largest(decision if model.break_ties else votes)
    return Scores(label, coupled, decision)


@regresses(LinearSVR)
def linear_regression(model: Any, x: Array) -> Array:
    """x · coef + intercept."""
    return x @ np.ravel(model.coef_).astype(np.float64) + float(np.ravel(model.intercept_)[0])


@classifies(LinearSVC)
def linear_classification(model: Any, x: Array) -> Scores:
    """x · coef + intercept; of two classes the second above 0, else the largest."""
    decision = x @ np.ascontiguousarray(model.coef_.T) + model.intercept_
    if model.coef_.shape[0] == 1:
        return Scores((decision[:, 0] > 0.0).astype(np.int64), decision=decision[:, 0])
    return Scores(largest(decision), decision=decision)


def _weighed(
    model: Any, x: Array, weights: NDArray[np.float64], intercept: NDArray[np.float64]
) -> Array:
    """k(x, support vectors) · weights (support vectors, outputs) + intercept; (n, outputs)."""
    vectors = dense(model.support_vectors_)
    if model.kernel == "linear":  # the support vectors need not be carried along
        return x @ (vectors.T @ weights) + intercept
    if model.kernel == "precomputed":
        return x[:, model.support_] @ weights + intercept
    given = {"gamma": model._gamma, "degree": model.degree, "coef0": model.coef0}
    return kernel(model, x, vectors, model.kernel, **given) @ weights + intercept


def _of_pairs(model: Any, pairs: Pairs) -> NDArray[np.float64]:
    """libsvm's dual coefficients as one column a pair of classes; (support vectors, pairs).

    A support vector of class i has a coefficient against each other class: row j - 1 against a later
    class j, row j against an earlier one.
    """
    coefficients = dense(model._dual_coef_)
    ends = np.cumsum(model.n_support_)
    of_class = [slice(end - count, end) for end, count in zip(ends, model.n_support_, strict=True)]
    weights = np.zeros((coefficients.shape[1], len(pairs)))
    for column, (i, j) in enumerate(pairs):
        weights[of_class[i], column] = coefficients[j - 1, of_class[i]]
        weights[of_class[j], column] = coefficients[i, of_class[j]]
    return weights


def _ends(pairs: Pairs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Which class is first, which second in a pair: two matrices (pairs, classes) of 0 and 1."""
    one = np.eye(pairs[-1][1] + 1)
    return one[[i for i, _ in pairs]], one[[j for _, j in pairs]]


def _votes(is_first: Array, first: NDArray[np.float64], second: NDArray[np.float64]) -> Array:
    """How many pairs each class wins; whole numbers (n, classes)."""
    return is_first.astype(np.float64) @ (first - second) + second.sum(axis=0)


def one_against_rest(is_first: Array, decided: Array, pairs: Pairs) -> Array:
    """`sklearn.utils.multiclass._ovr_decision_function`; (n, classes).

    is_first, decided (n, pairs): whether a pair's first class wins, and by how much. The sum of votes,
    and of confidence that is less than a vote.
    """
    first, second = _ends(pairs)
    confidence = decided @ (first - second)
    return _votes(is_first, first, second) + confidence / (3.0 * (np.abs(confidence) + 1.0))


def _coupled(likely: Array, pairs: Pairs) -> Array:
    """Probabilities of the classes (n, k) from those of each pair's first class (n, pairs).

    The minimum of pᵀ Q p on the simplex by coordinate descent, svm.cpp's `multiclass_probability`.
    libsvm stops a row as soon as it is near enough, which is seen in its result: a row that stopped
    there keeps its p here.
    """
    classes = pairs[-1][1] + 1
    quadratic = _quadratic(np.clip(likely, 1e-7, 1.0 - 1e-7), pairs)
    rows = [quadratic[:, t, :] for t in range(classes)]
    p = np.zeros_like(rows[0]) + 1.0 / classes
    for _ in range(_PASSES):
        gradient = np.sum(quadratic * p[:, None, :], axis=2)
        value = np.sum(p * gradient, axis=1, keepdims=True)
        error = np.max(np.abs(gradient - value), axis=1, keepdims=True)
        steps, total = _steps(gradient, value, rows, error >= 0.005 / classes)
        p = (p + steps) / total
    return p


def _steps(gradient: Array, value: Array, rows: list[Array], active: Array) -> tuple[Array, Array]:
    """What one pass adds to p (n, k), in rows that are still active (n, 1), and p's sum after it.

    libsvm brings p back onto the simplex after each step; both gradient Q p and value pᵀ Q p only
    scale with it, so here the sum of p is kept aside until the pass ends.
    """
    total: Array = 1.0
    steps = []
    for t, row in enumerate(rows):
        slope, curvature = gradient[:, t : t + 1], row[:, t : t + 1]
        step = np.where(active, (value / total - slope) / curvature, 0.0)
        value = value + step * (step * curvature + 2.0 * slope)
        gradient = gradient + step * row
        total = total + step
        steps.append(step)
    return np.concatenate(steps, axis=1), total


def _quadratic(likely: Array, pairs: Pairs) -> Array:
    """Q (n, k, k): Q[t, t] = Σ r[j, t]², Q[t, j] = -r[j, t] r[t, j]."""
    first, second = _ends(pairs)
    classes = first.shape[1]
    both = (first[:, :, None] * second[:, None, :] + second[:, :, None] * first[:, None, :]) * -1.0
    own = np.eye(classes)[:, :, None] * np.eye(classes)[:, None, :]
    unlikely = 1.0 - likely
    diagonal = (unlikely * unlikely) @ first + (likely * likely) @ second
    flat = (likely * unlikely) @ both.reshape(len(pairs), -1) + diagonal @ own.reshape(classes, -1)
    return flat.reshape(-1, classes, classes)
