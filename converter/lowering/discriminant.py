"""Discriminant analysis: classes as Gaussians, of one covariance or of one each."""

from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis

from converter.lowering.labels import largest, softmax
from converter.lowering.linear import by_logistic_or_softmax, decision
from converter.lowering.registry import Array, Scores, classifies


@classifies(LinearDiscriminantAnalysis)
def linear_discriminant(model: LinearDiscriminantAnalysis, x: Array) -> Scores:
    """A linear classifier, whatever solver found its coefficients."""
    return by_logistic_or_softmax(decision(model, x))


@classifies(QuadraticDiscriminantAnalysis)
def quadratic_discriminant(model: QuadraticDiscriminantAnalysis, x: Array) -> Scores:
    """log p(x, k) = -½ (|(x - μ) R S^-½|² + Σ log S) + log prior, with a covariance R S Rᵀ a class."""
    with np.errstate(divide="ignore"):  # a prior of 0 is a class that is never chosen
        priors = np.log(np.asarray(model.priors_, dtype=np.float64))
    members = [
        _log_density(x, mean, rotation, scaling)
        for mean, rotation, scaling in zip(model.means_, model.rotations_, model.scalings_, strict=True)
    ]
    joint = np.stack(members, axis=1) + priors
    decided = joint[:, 1] - joint[:, 0] if len(model.classes_) == 2 else joint
    return Scores(largest(joint), softmax(joint), decided)


def _log_density(x: Array, mean: Any, rotation: Any, scaling: Any) -> Array:
    scaling = np.asarray(scaling, dtype=np.float64)
    whitened = (x - np.asarray(mean, np.float64)) @ (np.asarray(rotation, np.float64) * scaling**-0.5)
    return -0.5 * (np.sum(whitened * whitened, axis=1) + np.log(scaling).sum())
