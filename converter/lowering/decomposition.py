"""Projections: an affine map of the columns, sometimes with one function after it."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical, PLSRegression
from sklearn.decomposition import (
    NMF,
    PCA,
    DictionaryLearning,
    FactorAnalysis,
    FastICA,
    IncrementalPCA,
    LatentDirichletAllocation,
    MiniBatchDictionaryLearning,
    MiniBatchNMF,
    MiniBatchSparsePCA,
    SparseCoder,
    SparsePCA,
    TruncatedSVD,
)
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.neural_network import BernoulliRBM
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

from converter.lowering.distances import dense
from converter.lowering.registry import Array, regresses, transforms
from converter.lowering.scaling import as_floating
from converter.tracing import ops
from edge_runtime.errors import UnsupportedModelError

Matrix = NDArray[np.float64]

_MOST_ATOMS = 8  # of a code that is pursued: the graph grows with their square


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


@transforms(TfidfTransformer, reads="given")
def tfidf(step: TfidfTransformer, x: Array) -> Array:
    """Counts (sublinear: 1 + ln count) times idf, then rows at norm 1; an empty row stays.

    In the dtype given, as scikit-learn: a row of float32 whose squares vanish counts as empty.
    """
    x = as_floating(x)
    if step.sublinear_tf:
        present = x != 0.0
        x = np.where(present, np.log(np.where(present, x, 1.0)) + 1.0, 0.0)
    if hasattr(step, "idf_"):
        x = x * step.idf_.astype(x.dtype)
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


@transforms(DictionaryLearning, MiniBatchDictionaryLearning, SparseCoder)
def sparse_code(step: Any, x: Array) -> Array:
    """x in terms of few atoms, by soft thresholds or by orthogonal matching pursuit."""
    atoms = step.dictionary if type(step) is SparseCoder else step.components_
    covariances = x @ _columns(atoms)
    if step.transform_algorithm == "threshold":
        limit = getattr(step, "alpha", None) if step.transform_alpha is None else step.transform_alpha
        code = np.abs(covariances) - (1.0 if limit is None else float(limit))
        code = np.sign(covariances) * np.maximum(code, 0.0)
        code = np.maximum(code, 0.0) if step.positive_code else code
    elif step.transform_algorithm == "omp":
        code = _pursued(step, np.asarray(atoms), covariances)
    else:
        raise UnsupportedModelError(
            f"{type(step).__name__} with transform_algorithm={step.transform_algorithm!r} cannot be "
            "converted: it solves an optimization for every row, until it converges. Use 'omp' or "
            "'threshold'."
        )
    if step.split_sign:
        return np.concatenate([np.maximum(code, 0.0), -np.minimum(code, 0.0)], axis=1)
    return code


def _pursued(step: Any, atoms: NDArray[Any], covariances: Array) -> Array:
    """Orthogonal matching pursuit, scikit-learn's `_gram_omp`, unrolled.

    Each round takes the atom nearest to what is left and solves least squares on all taken so far, whose
    Gram matrix is kept as its Cholesky factor. A row that finds no new atom keeps what it has. Of two
    equal atoms the first is taken, in scikit-learn the one that its swaps have left first.
    """
    count = step.transform_n_nonzero_coefs
    count = int(min(max(atoms.shape[1] / 10, 1), len(atoms)) if count is None else count)
    if count > _MOST_ATOMS:
        raise UnsupportedModelError(
            f"{type(step).__name__} of {count} atoms a row cannot be converted: at most {_MOST_ATOMS} "
            f"can. Set transform_n_nonzero_coefs to {_MOST_ATOMS} or less."
        )
    gram, nothing = _float64(atoms @ atoms.T), float(np.finfo(atoms.dtype).eps)
    left, code = covariances, np.zeros_like(covariances)
    taken: list[_Taken] = []
    done = np.isnan(covariances[:, 0])
    for _ in range(count):
        place = np.argmax(np.abs(left), axis=1)
        done = done | (_at(left, place) ** 2 < nothing)
        for other in taken:
            done = done | (place == other.place)
        factor: list[Array] = []
        for other in taken:
            known = _dot(factor, other.factor)
            factor.append((_at(other.gram, place) - known) / other.factor[-1])
        rest = ops.take(np.diag(gram), place) - _dot(factor, factor)
        done = done | (rest <= nothing)
        factor.append(np.sqrt(np.where(done, 1.0, rest)))
        forward = (_at(covariances, place) - _dot(factor, [each.forward for each in taken])) / factor[-1]
        taken.append(_Taken(place, ops.take(gram, place, axis=0), factor, forward))
        weights = _weights(taken)
        made, explained = np.zeros_like(code), np.zeros_like(code)
        for each, weight in zip(taken, weights, strict=True):
            chosen = each.place[:, None] == np.arange(len(gram))
            made = made + np.where(chosen, weight[:, None], 0.0)
            explained = explained + weight[:, None] * each.gram
        code = np.where(done[:, None], code, made)
        left = covariances - explained
    return code


class _Taken(NamedTuple):
    """An atom taken by each row: which (n,), its row of the Gram matrix (n, atoms), its row of the
    Cholesky factor L, each (n,), and its entry of the solution of L y = covariances."""

    place: Array
    gram: Array
    factor: list[Array]
    forward: Array


def _weights(taken: list[_Taken]) -> list[Array]:
    """The solution of L^T w = y, from the last atom to the first."""
    weights: list[Array] = []
    for at in range(len(taken) - 1, -1, -1):
        later = _dot(weights, [each.factor[at] for each in taken[at + 1 :]])
        weights.insert(0, (taken[at].forward - later) / taken[at].factor[at])
    return weights


def _dot(first: list[Array], second: list[Array]) -> Array | float:
    """The sum of products, as far as the shorter list goes."""
    total: Array | float = 0.0
    for one, other in zip(first, second, strict=False):
        total = total + one * other
    return total


def _at(x: Array, place: Array) -> Array:
    """x[i, place[i]] of every row i, (n,)."""
    return np.take_along_axis(x, place[:, None], axis=1)[:, 0]


def _columns(components: Any) -> Matrix:
    """Components (k, features) as what a row is multiplied with, (features, k)."""
    return np.ascontiguousarray(_float64(components).T)


def _float64(array: Any) -> Matrix:
    return np.asarray(array, dtype=np.float64)
