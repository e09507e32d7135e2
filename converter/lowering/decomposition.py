"""Projections: an affine map of the columns, sometimes with one function after it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical, PLSRegression
from sklearn.decomposition import (
    NMF,
    PCA,
    FactorAnalysis,
    FastICA,
    IncrementalPCA,
    LatentDirichletAllocation,
    MiniBatchNMF,
    MiniBatchSparsePCA,
    SparsePCA,
    TruncatedSVD,
)
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.neural_network import BernoulliRBM
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

from converter.lowering.distances import dense
from converter.lowering.registry import Array, regresses, transforms
from edge_runtime.errors import UnsupportedModelError

Matrix = NDArray[np.float64]


@transforms(PCA, IncrementalPCA)
def pca(step: Any, x: Array) -> Array:
    """(x - mean) components^T, over the components' standard deviations where `whiten`.

    scikit-learn projects x and the mean apart; taken off first, a mean far from 0 costs no digits.
    """
    components = step.components_
    if step.whiten:
        deviation = np.sqrt(step.explained_variance_)
        deviation = np.maximum(deviation, np.finfo(deviation.dtype).eps)
        components = components / deviation[:, None]
    return (x - _float64(step.mean_)) @ _columns(components)


@transforms(TruncatedSVD, GaussianRandomProjection, SparseRandomProjection)
def projection(step: Any, x: Array) -> Array:
    """x components^T."""
    return x @ _columns(dense(step.components_))


@transforms(FactorAnalysis)
def factor_analysis(step: FactorAnalysis, x: Array) -> Array:
    """The latent variables' expected mean: (x - mean) W^T (I + W C^T)^-1, W being C over the noise."""
    components = _float64(step.components_)
    scaled = components / step.noise_variance_
    covariance = np.linalg.inv(np.eye(len(components)) + scaled @ components.T)
    return (x - _float64(step.mean_)) @ np.ascontiguousarray(scaled.T @ covariance)


@transforms(FastICA)
def fast_ica(step: FastICA, x: Array) -> Array:
    """(x - mean) unmixing^T; without whitening nothing is taken off."""
    x = x - _float64(step.mean_) if step.whiten else x
    return x @ _columns(step.components_)


@transforms(SparsePCA, MiniBatchSparsePCA)
def sparse_pca(step: Any, x: Array) -> Array:
    """Ridge regression of x - mean on the components: (x - mean) C^T (C C^T + alpha I)^-1."""
    components = _float64(step.components_)
    gram = components @ components.T + step.ridge_alpha * np.eye(len(components))
    # Without a ridge the components may depend on each other: the shortest solution, as scikit-learn's.
    solved = np.linalg.solve(gram, components) if step.ridge_alpha else np.linalg.pinv(components).T
    return (x - _float64(step.mean_)) @ _columns(solved)


@transforms(PLSRegression, PLSCanonical, CCA)
def pls_transform(step: Any, x: Array) -> Array:
    """The scores of x: (x - mean) / std x_rotations."""
    return _standard(step, x) @ _float64(step.x_rotations_)


@transforms(PLSSVD)
def pls_svd(step: PLSSVD, x: Array) -> Array:
    """The scores of x: (x - mean) / std x_weights."""
    return _standard(step, x) @ _float64(step.x_weights_)


def _standard(step: Any, x: Array) -> Array:
    return (x - _float64(step._x_mean)) / _float64(step._x_std)


@regresses(PLSRegression, PLSCanonical, CCA)
def pls_value(model: Any, x: Array) -> Array:
    """(x - mean) coef^T + intercept; the coefficients are scaled already."""
    value = (x - _float64(model._x_mean)) @ _columns(model.coef_) + _float64(model.intercept_)
    return value[:, 0] if model._predict_1d else value


@transforms(LinearDiscriminantAnalysis)
def discriminant_projection(step: LinearDiscriminantAnalysis, x: Array) -> Array:
    """The directions that part the classes best: (x - xbar) scalings, of "eigen" x scalings."""
    if step.solver == "lsqr":
        raise UnsupportedModelError(
            "LinearDiscriminantAnalysis with solver='lsqr' is no transformer: it finds no directions. "
            "Use solver='svd' or 'eigen'."
        )
    x = x - _float64(step.xbar_) if step.solver == "svd" else x
    return x @ np.ascontiguousarray(_float64(step.scalings_)[:, : step._max_components])


@transforms(BernoulliRBM)
def bernoulli_rbm(step: BernoulliRBM, x: Array) -> Array:
    """The hidden units' probabilities: expit(x components^T + intercept)."""
    return expit(x @ _columns(step.components_) + _float64(step.intercept_hidden_))


@transforms(TfidfTransformer)
def tfidf(step: TfidfTransformer, x: Array) -> Array:
    """Counts (sublinear: 1 + ln count) times idf, then rows at norm 1; an empty row stays."""
    if step.sublinear_tf:
        present = x != 0.0
        x = np.where(present, np.log(np.where(present, x, 1.0)) + 1.0, 0.0)
    if hasattr(step, "idf_"):
        x = x * _float64(step.idf_)
    if step.norm is None:
        return x
    if step.norm == "l1":
        norm = np.sum(np.abs(x), axis=1, keepdims=True)
    else:
        norm = np.sqrt(np.sum(x * x, axis=1, keepdims=True))
    return x / np.where(norm == 0.0, 1.0, norm)


@transforms(NMF, MiniBatchNMF, LatentDirichletAllocation)
def iterative(step: Any, x: Array) -> Array:  # noqa: ARG001 -- refused whatever the rows
    """Refused: each row's answer is an optimization of its own."""
    raise UnsupportedModelError(
        f"{type(step).__name__} cannot be converted: it solves an optimization for every row, until it "
        "converges. Use PCA, TruncatedSVD or FastICA."
    )


def _columns(components: Any) -> Matrix:
    """Components (k, features) as what a row is multiplied with, (features, k)."""
    return np.ascontiguousarray(_float64(components).T)


def _float64(array: Any) -> Matrix:
    return np.asarray(array, dtype=np.float64)
