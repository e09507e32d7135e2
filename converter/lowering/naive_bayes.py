"""Naive Bayes: a joint log likelihood for every class, its largest, and its softmax."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB

from converter.lowering.labels import largest, softmax
from converter.lowering.registry import Array, Scores, classifies, refuse
from converter.lowering.summation import pairwise_sum
from converter.tracing import ops
from edge_runtime.errors import UnsupportedModelError

_FARTHEST = 1e3  # of ½ Σ (class mean - middle)² / variance: 1e-16 of it is what an expansion may be off
_WIDEST = 16_384  # numbers a row of the (n, classes, features) array below; beyond, class by class


@classifies(GaussianNB, reads="given")
def gaussian(model: Any, x: Array) -> Scores:
    """In float64, except of a float32 fit on float32 rows, where scikit-learn's rounding shows."""
    if x.dtype == model.theta_.dtype == np.float32:
        return _as_rounded(_gaussian_float32(model, x))
    return _of_likelihood(_gaussian_float64(model, x.astype(np.float64)))


def _gaussian_float32(model: Any, x: Array) -> Array:
    """The joint log likelihood as scikit-learn rounds it, bit for bit; (n, classes).

    With many features it is large, and what it is rounded by then decides between near classes.
    """
    difference = x[:, None, :] - model.theta_  # of all classes at once: a third of the nodes for three
    sums = pairwise_sum(difference * difference / model.var_)
    scales = np.array([-0.5 * np.sum(np.log(2.0 * np.pi * own)) for own in model.var_])
    return np.log(model.class_prior_) + (scales - 0.5 * sums)


def _as_rounded(likelihood: Array) -> Scores:
    """exp(l - logsumexp(l)) with both differences in l's dtype, as `_BaseNB.predict_proba`."""
    top = ops.largest(likelihood, axis=1, keepdims=True)
    raised = np.exp((likelihood - top).astype(np.float64))
    logarithm = np.log(np.sum(raised, axis=1, keepdims=True)).astype(likelihood.dtype) + top
    return Scores(largest(likelihood), np.exp(likelihood - logarithm))


def _gaussian_float64(model: Any, x: Array) -> Array:
    """log prior - ½ Σ log(2 pi variance) - ½ Σ (x - mean)² / variance.

    Expanded around the classes' middle the squares are two products of matrices. Where a class is many
    of its standard deviations away from there, they would lose digits to cancellation, and are taken of
    differences.
    """
    # these two in the dtype of the fit, in which scikit-learn takes them too
    scales = np.array([np.sum(np.log(2.0 * np.pi * own)) for own in model.var_])
    constant = np.log(model.class_prior_).astype(np.float64) - 0.5 * scales.astype(np.float64)
    means, weights = model.theta_.astype(np.float64), -0.5 / model.var_.astype(np.float64)
    middle = np.mean(means, axis=0)
    away = (means - middle) ** 2 * weights
    if -away.sum(axis=1).min() < _FARTHEST:
        x = x - middle
        slopes = -2.0 * weights * (means - middle)
        squares = (x * x) @ _columns(weights) + x @ _columns(slopes) + away.sum(axis=1)
    elif means.size <= _WIDEST:
        difference = x[:, None, :] - means
        squares = np.sum(difference * difference * weights, axis=2)
    else:
        each = [_weighted_squares(x, *own) for own in zip(means, weights, strict=True)]
        squares = np.stack(each, axis=1)
    return squares + constant


def _columns(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.ascontiguousarray(rows.T)


def _weighted_squares(x: Array, mean: NDArray[np.float64], weights: NDArray[np.float64]) -> Array:
    difference = x - mean
    return (difference * difference) @ weights


@classifies(MultinomialNB)
def multinomial(model: Any, x: Array) -> Scores:
    """x · log probabilities + log prior."""
    weights = _apart(_finite(model, model.feature_log_prob_).T)
    return _of_likelihood(x @ weights + model.class_log_prior_)


@classifies(ComplementNB)
def complement(model: Any, x: Array) -> Scores:
    """x · weights of the complements; the prior counts only where there is one class."""
    likelihood = x @ _apart(_finite(model, model.feature_log_prob_).T)
    return _of_likelihood(
        likelihood + model.class_log_prior_ if len(model.classes_) == 1 else likelihood
    )


@classifies(BernoulliNB, reads="given")
def bernoulli(model: Any, x: Array) -> Scores:
    """Log probabilities of the features above the threshold, and of the absence of the others.

    x keeps its dtype: scikit-learn compares float32 rows with the threshold rounded to float32.
    """
    absent = np.log(1.0 - np.exp(_finite(model, model.feature_log_prob_)))
    present = x if model.binarize is None else x > model.binarize
    weights = _apart((model.feature_log_prob_ - _finite(model, absent)).T)
    constant = _apart(model.class_log_prior_ + absent.sum(axis=1))
    return _of_likelihood(present.astype(np.float64) @ weights + constant)


@classifies(CategoricalNB)
def categorical(model: Any, x: Array) -> Scores:
    """The sum over features of a category's log probabilities, plus the log prior.

    Numbers are cut to whole categories, as scikit-learn does. A category that no training row could
    have had is refused.
    """
    sizes = [table.shape[1] for table in model.feature_log_prob_]
    unknown = sum(sizes)
    tables = _apart(np.concatenate([_finite(model, table).T for table in model.feature_log_prob_]))
    tables = np.concatenate([tables, np.full((1, tables.shape[1]), np.nan)])
    code = np.trunc(x)
    is_known = (code >= 0.0) & (code < np.asarray(sizes, np.float64))
    refuse(~np.all(is_known, axis=1), "CategoricalNB: a category that training could not have had")
    at = np.where(is_known, code + np.cumsum([0, *sizes[:-1]]).astype(np.float64), float(unknown))
    likelihood = np.sum(ops.take(tables, at.astype(np.int64), axis=0), axis=1)
    return _of_likelihood(likelihood + model.class_log_prior_)


def _apart(logarithms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Less what all classes, the last axis, share: no answer sees it, and float32 lacks the digits."""
    apart: NDArray[np.float64] = logarithms - logarithms.mean(axis=-1, keepdims=True)
    return apart


def _of_likelihood(likelihood: Array) -> Scores:
    return Scores(largest(likelihood), softmax(likelihood))


def _finite(model: Any, logarithms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Raises UnsupportedModelError for a probability of 0: 0 times its logarithm is not a number."""
    if not np.isfinite(logarithms).all():
        raise UnsupportedModelError(
            f"{type(model).__name__} with a probability of 0 cannot be converted: scikit-learn's "
            "own answers are then not numbers. Fit it with alpha above 0."
        )
    return logarithms
