"""Projections give scikit-learn's numbers, and take no part in large offsets or dependent columns."""

import warnings
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array
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
    MiniBatchSparsePCA,
    SparseCoder,
    SparsePCA,
    TruncatedSVD,
)
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.neural_network import BernoulliRBM
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

from converter.lowering import decomposition, registry
from edge_runtime.errors import UnsupportedModelError
from tests.converter.lowering.lowered import agree, check, computed, expected

assert decomposition  # registers


def rows(count: int = 80) -> Any:
    """Six columns, of which the last is the sum of two others, far from zero and of unlike sizes."""
    rng = np.random.default_rng(8)
    found = rng.normal(size=(count, 5)) * [1.0, 3.0, 0.1, 10.0, 1.0] + [0.0, 5.0, 1.0, -20.0, 0.0]
    return np.column_stack([found, found[:, 0] + found[:, 1]])


@pytest.mark.parametrize(
    "step",
    [
        PCA(),
        PCA(n_components=2, whiten=True),
        PCA(n_components=0.9, svd_solver="full"),
        IncrementalPCA(n_components=3, batch_size=20),
        IncrementalPCA(n_components=3, whiten=True),
        TruncatedSVD(n_components=3, random_state=0),
        FactorAnalysis(n_components=2),
        FactorAnalysis(n_components=2, rotation="varimax"),
        FastICA(n_components=3, random_state=0, tol=0.1),
        FastICA(n_components=3, random_state=0, tol=0.1, whiten="arbitrary-variance"),
        SparsePCA(n_components=3, random_state=0, max_iter=20),
        MiniBatchSparsePCA(n_components=3, random_state=0, max_iter=20),
        SparsePCA(n_components=8, random_state=0, max_iter=20, ridge_alpha=0.5),
        GaussianRandomProjection(n_components=4, random_state=0),
        SparseRandomProjection(n_components=4, random_state=0),
        SparseRandomProjection(n_components=4, dense_output=True, random_state=0),
        BernoulliRBM(n_components=4, n_iter=2, random_state=0),
    ],
    ids=str,
)
def test_projections(step: Any) -> None:
    check(step.fit(rows()), rows(30))


def test_ica_without_whitening_takes_nothing_off() -> None:
    white = np.linalg.qr(rows()[:, :4])[0]
    check(FastICA(whiten=False, random_state=0, tol=0.5).fit(white), white[:20] + 1.0)


def test_a_sparse_pca_of_dependent_components_without_ridge() -> None:
    step = SparsePCA(n_components=3, random_state=0, max_iter=20, ridge_alpha=0.0).fit(rows())
    step.components_[2] = step.components_[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn says that the matrix is singular
        check(step, rows(10), tolerance=1e-9)


def test_whitening_of_a_direction_without_variance_is_bounded() -> None:
    step = PCA(n_components=2, whiten=True).fit(rows())
    step.explained_variance_[1] = 1e-40
    check(step, rows(10))


def test_an_offset_of_a_million_costs_no_digits() -> None:
    far = rows() + 1e8
    step = PCA(n_components=2).fit(far)
    around = (far - step.mean_) @ step.components_.T
    np.testing.assert_allclose(registry.transform(step, far), around, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", [PLSRegression, PLSCanonical, CCA])
@pytest.mark.parametrize("targets", [1, 2])
def test_partial_least_squares_transform_and_predict(kind: Any, targets: int) -> None:
    x = rows()[:, :5]
    y = np.stack([x[:, 0] + x[:, 1] ** 2, np.sin(x[:, 2])], axis=1)[:, :targets]
    model = kind(n_components=1, max_iter=2000).fit(x, y[:, 0] if targets == 1 else y)
    check(model, x)
    agree(computed(model, x, "transform"), expected(model, x, "transform"), 1e-10)


def test_partial_least_squares_unscaled_and_by_svd() -> None:
    x = rows()[:, :5]
    y = x[:, :2] ** 2
    model = PLSRegression(n_components=3, scale=False).fit(x, y)
    agree(computed(model, x, "transform"), expected(model, x, "transform"), 1e-10)
    check(PLSSVD(n_components=2).fit(x, y), x)


@pytest.mark.parametrize("solver", ["svd", "eigen"])
def test_discriminant_directions(solver: str) -> None:
    x = rows()[:, :5]
    step = LinearDiscriminantAnalysis(solver=solver, n_components=2).fit(x, np.arange(80) % 4)
    agree(computed(step, x, "transform"), expected(step, x, "transform"), 1e-10)


def test_a_discriminant_without_directions_is_refused() -> None:
    step = LinearDiscriminantAnalysis(solver="lsqr").fit(rows(), np.arange(80) % 2)
    with pytest.raises(UnsupportedModelError, match=r"^LinearDiscriminantAnalysis .*'svd'"):
        registry.transform(step, rows())


@pytest.mark.parametrize("norm", ["l1", "l2", None])
@pytest.mark.parametrize("sublinear_tf", [False, True])
@pytest.mark.parametrize("use_idf", [False, True])
def test_term_frequencies_with_an_empty_document(norm: Any, sublinear_tf: bool, use_idf: bool) -> None:
    counts = np.random.default_rng(2).poisson(0.7, size=(12, 5)).astype(float)
    counts[3] = 0.0
    step = TfidfTransformer(norm=norm, sublinear_tf=sublinear_tf, use_idf=use_idf)
    check(step.fit(csr_array(counts)), counts)


@pytest.mark.parametrize(
    "step", [NMF(2, max_iter=500), LatentDirichletAllocation(2, max_iter=2)], ids=str
)
def test_what_optimizes_every_row_is_refused(step: Any) -> None:
    step.fit(np.abs(rows()))
    with pytest.raises(UnsupportedModelError, match=f"^{type(step).__name__} .* every row"):
        registry.transform(step, np.abs(rows()))


def unit_rows(count: int, width: int) -> Any:
    found = np.random.default_rng(count).normal(size=(count, width))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize("split_sign", [False, True])
@pytest.mark.parametrize("positive_code", [False, True])
@pytest.mark.parametrize("alpha", [None, 0.3])
def test_codes_by_threshold(split_sign: bool, positive_code: bool, alpha: Any) -> None:
    step = SparseCoder(
        unit_rows(7, 6),
        transform_algorithm="threshold",
        transform_alpha=alpha,
        split_sign=split_sign,
        positive_code=positive_code,
    )
    check(step, rows(20))


@pytest.mark.filterwarnings("ignore:.*Orthogonal matching pursuit ended prematurely")
@pytest.mark.parametrize("atoms", [None, 1, 2, 5, 7])
def test_codes_by_matching_pursuit(atoms: Any) -> None:
    """One atom is half another one, two rows are atoms themselves, and one row is nothing."""
    dictionary = unit_rows(9, 8)
    dictionary[4] = 0.5 * dictionary[2]
    asked = np.vstack([rows(20)[:, :4].repeat(2, axis=1), dictionary[:2], np.zeros(8)])
    step = SparseCoder(dictionary, transform_algorithm="omp", transform_n_nonzero_coefs=atoms)
    check(step, asked, tolerance=1e-9)


@pytest.mark.parametrize("kind", [DictionaryLearning, MiniBatchDictionaryLearning])
def test_learned_dictionaries(kind: Any) -> None:
    step = kind(4, max_iter=3, random_state=0, transform_n_nonzero_coefs=2).fit(rows())
    check(step, rows(20), tolerance=1e-9)
    step.set_params(transform_algorithm="threshold")
    check(step, rows(20))


def test_codes_of_many_atoms_or_by_optimization_are_refused() -> None:
    step = SparseCoder(unit_rows(12, 10), transform_n_nonzero_coefs=9)
    with pytest.raises(UnsupportedModelError, match=r"^SparseCoder of 9 atoms a row"):
        registry.transform(step, np.zeros((1, 10)))
    step.set_params(transform_algorithm="lasso_lars")
    with pytest.raises(
        UnsupportedModelError, match=r"^SparseCoder with transform_algorithm='lasso_lars'"
    ):
        registry.transform(step, np.zeros((1, 10)))
