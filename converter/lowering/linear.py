"""Linear regressors and classifiers: one product with the coefficients, then what each makes of it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn import linear_model
from sklearn.linear_model import (
    GammaRegressor,
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    PoissonRegressor,
    RANSACRegressor,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
    TweedieRegressor,
)

from converter.lowering import registry
from converter.lowering.labels import binary, largest, softmax
from converter.lowering.registry import Array, Scores, classifies, regresses
from edge_runtime.errors import UnsupportedModelError

_LINEAR_REGRESSORS = (
    "ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lars", "LarsCV",
    "Lasso", "LassoCV", "LassoLars", "LassoLarsCV", "LassoLarsIC", "LinearRegression",
    "MultiTaskElasticNet", "MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV",
    "OrthogonalMatchingPursuit", "OrthogonalMatchingPursuitCV", "PassiveAggressiveRegressor",
    "QuantileRegressor", "Ridge", "RidgeCV", "SGDRegressor", "TheilSenRegressor",
)  # fmt: skip
# scikit-learn 1.10 removes the two passive-aggressive ones.
_REGRESSORS = [getattr(linear_model, name) for name in _LINEAR_REGRESSORS if hasattr(linear_model, name)]
_HARD_CLASSIFIERS = [
    getattr(linear_model, name)
    for name in ("PassiveAggressiveClassifier", "Perceptron")
    if hasattr(linear_model, name)
]


def linear(x: Array, coefficients: Any, intercept: Any) -> Array:
    """x @ cᵀ + b: (n,) for coefficients (features,), (n, m) for (m, features); sparse or not."""
    dense = coefficients.toarray() if hasattr(coefficients, "toarray") else coefficients
    matrix = np.ascontiguousarray(np.asarray(dense, dtype=np.float64).T)
    return x @ matrix + np.asarray(intercept, dtype=np.float64)


def decision(model: Any, x: Array) -> Array:
    """`decision_function` of scikit-learn's LinearClassifierMixin: (n,) of one score, else (n, k)."""
    found = linear(x, model.coef_, model.intercept_)
    return found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found


def chosen(decided: Array) -> Array:
    """The class of each row: of two the second where its score is above 0, of more the highest."""
    if decided.ndim == 1:
        return (decided > 0).astype(np.int64)
    return largest(decided)


def by_logistic_or_softmax(decided: Array) -> Scores:
    """One score is the second class's log odds; several are each class's logit."""
    if decided.ndim == 1:
        # Not the operator Sigmoid: ONNX Runtime's errs by 1e-12 and is 0 below about -20.
        return binary(expit(decided), decided > 0, decided)
    return Scores(largest(decided), softmax(decided), decided)


@regresses(*_REGRESSORS)
def linear_regression(model: Any, x: Array) -> Array:
    """The product and the intercept, of one target or of several."""
    return linear(x, model.coef_, model.intercept_)


@regresses(GammaRegressor, PoissonRegressor, TweedieRegressor)
def generalized_linear(model: Any, x: Array) -> Array:
    """The inverse of the link: exp of the product, or the product itself."""
    raw = linear(x, model.coef_, model.intercept_)
    link = type(model._base_loss.link).__name__  # what link="auto" became when it was fitted
    if link == "LogLink":
        return np.exp(raw)
    if link == "IdentityLink":
        return raw
    raise UnsupportedModelError(
        f"{type(model).__name__} has the link {link}, which no lowering computes: fit it with "
        "link='log' or link='identity'."
    )


@regresses(RANSACRegressor, reads="given")
def consensus(model: RANSACRegressor, x: Array) -> Array:
    """What the regressor fitted on the inliers says."""
    return registry.value(model.estimator_, x)


@classifies(LogisticRegression, LogisticRegressionCV)
def logistic_regression(model: Any, x: Array) -> Scores:
    """Two classes by the logistic function, more by softmax, as scikit-learn does since 1.8."""
    asked = getattr(model, "multi_class", "auto")
    several = len(model.classes_) > 2
    if asked in ("ovr", "multinomial") or (several and model.solver == "liblinear"):
        raise UnsupportedModelError(
            f"{type(model).__name__} with multi_class={asked!r} and solver={model.solver!r} has "
            "probabilities that depend on scikit-learn's version: fit it without multi_class, or as "
            "OneVsRestClassifier(LogisticRegression())."
        )
    return by_logistic_or_softmax(decision(model, x))


@classifies(SGDClassifier)
def stochastic_gradient(model: SGDClassifier, x: Array) -> Scores:
    """Probabilities depend on the loss: logistic, clipped (modified_huber), or none."""
    decided = decision(model, x)
    if model.loss == "log_loss":
        likely = expit(decided)
    elif model.loss == "modified_huber":
        likely = (np.clip(decided, -1.0, 1.0) + 1.0) / 2.0
    else:
        return Scores(chosen(decided), None, decided)
    if decided.ndim == 1:
        return binary(likely, decided > 0, decided)
    return Scores(chosen(decided), shares(likely), decided)


@classifies(*_HARD_CLASSIFIERS)
def hard_linear(model: Perceptron, x: Array) -> Scores:
    """A class without a probability."""
    decided = decision(model, x)
    return Scores(chosen(decided), None, decided)


@classifies(RidgeClassifier, RidgeClassifierCV)
def ridge_classifier(model: Any, x: Array) -> Scores:
    """The highest of the targets -1 and 1; of several labels each that is above 0."""
    decided = decision(model, x)
    if model._label_binarizer.y_type_.startswith("multilabel"):
        return Scores((decided > 0).astype(np.int64), None, decided)
    return Scores(chosen(decided), None, decided)


def shares(likely: Array) -> Array:
    """One against the rest, at a sum of 1; all 0 becomes all alike, as scikit-learn has it."""
    total = np.sum(likely, axis=1, keepdims=True)
    nothing = total == 0
    alike: NDArray[np.float64] = np.full(likely.shape[1], 1.0 / likely.shape[1])
    return np.where(nothing, alike, likely / np.where(nothing, 1.0, total))
