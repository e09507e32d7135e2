"""Models that are a kernel times a matrix, with every kernel that has a closed form."""

from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import KernelPCA
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import KernelCenterer

from converter.lowering import kernels, registry
from edge_runtime.errors import UnsupportedModelError
from tests.converter.lowering.lowered import check

RANDOM = np.random.default_rng(0)
TRAINED = np.abs(RANDOM.normal(size=(60, 5))) + 0.2
ROWS = np.abs(RANDOM.normal(size=(30, 5))) + 0.2
TARGET = RANDOM.normal(size=60)
TRAINED[:5, 2] = ROWS[:7, 2] = 0.0  # 0/0 under the chi² kernels
OF_ONE_PARAMETER = ["poly", "polynomial", "rbf", "sigmoid", "laplacian", "chi2"]


@pytest.mark.parametrize("name", [*OF_ONE_PARAMETER, "linear", "cosine"])
def test_kernel_ridge_agrees(name: str) -> None:
    gamma = 0.3 if name in OF_ONE_PARAMETER else None
    check(KernelRidge(kernel=name, gamma=gamma, degree=2, coef0=0.5).fit(TRAINED, TARGET), ROWS)


def test_kernel_ridge_of_several_targets_and_default_gamma() -> None:
    targets = np.column_stack([TARGET, TARGET**2])
    check(KernelRidge(kernel="rbf").fit(TRAINED, targets), ROWS)


@pytest.mark.parametrize("degree", [1, 2.5, 5, 11])
def test_degrees_by_products_and_by_powers(degree: float) -> None:
    check(KernelRidge(kernel="poly", gamma=0.1, degree=degree).fit(TRAINED, TARGET), ROWS)


@pytest.mark.parametrize("name", ["linear", "poly", "rbf", "sigmoid", "cosine"])
def test_kernel_pca_agrees(name: str) -> None:
    check(KernelPCA(n_components=3, kernel=name).fit(TRAINED), ROWS)


def test_components_without_variance_are_zero() -> None:
    step = KernelPCA(n_components=5, kernel="linear").fit(TRAINED[:, :2] @ np.ones((2, 5)))
    step.eigenvalues_[1:] = 0.0  # as scikit-learn leaves them where it does not drop them
    check(step, ROWS)


@pytest.mark.parametrize("name", [*OF_ONE_PARAMETER, "linear", "additive_chi2"])
def test_nystroem_agrees(name: str) -> None:
    gamma = 0.3 if name in OF_ONE_PARAMETER else None
    check(Nystroem(name, gamma=gamma, n_components=4, random_state=0).fit(TRAINED), ROWS)


def test_nystroem_reads_kernel_params() -> None:
    step = Nystroem("poly", kernel_params={"degree": 2}, gamma=0.3, n_components=4, random_state=0)
    check(step.fit(TRAINED), ROWS)


def test_a_precomputed_kernel_is_the_input() -> None:
    given, asked = rbf_kernel(TRAINED, gamma=0.3), rbf_kernel(ROWS, TRAINED, gamma=0.3)
    check(KernelRidge(kernel="precomputed").fit(given, TARGET), asked)
    check(KernelPCA(n_components=3, kernel="precomputed").fit(given), asked)
    check(KernelCenterer().fit(given), asked)


@pytest.mark.parametrize(
    "model",
    [
        KernelRidge(kernel=lambda a, b: float(a @ b)).fit(TRAINED, TARGET),
        KernelPCA(kernel=lambda a, b: float(a @ b)).fit(TRAINED),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_kernel_of_the_authors_own_is_refused(model: Any) -> None:
    method = registry.value if isinstance(model, KernelRidge) else registry.transform
    with pytest.raises(
        UnsupportedModelError, match=f"^{type(model).__name__} with the kernel <function"
    ):
        method(model, ROWS)


def test_a_power_by_products_is_the_power() -> None:
    base = np.array([-1.5, 0.0, 2.0])
    for degree in (1, 2, 3, 7, 8):
        np.testing.assert_allclose(kernels.whole_power(base, degree), base**degree, rtol=1e-15)


def test_nystroem_of_what_it_cannot_place_is_refused() -> None:
    given = rbf_kernel(TRAINED, gamma=0.3)
    some = Nystroem("precomputed", n_components=4, random_state=0).fit(given[:4, :4])
    with pytest.raises(UnsupportedModelError, match=r"^Nystroem of a precomputed kernel"):
        registry.transform(some, given[:, :5])
    odd = Nystroem("rbf", kernel_params={"unknown": 1}, n_components=4, random_state=0).fit(TRAINED)
    with pytest.raises(UnsupportedModelError, match=r"^Nystroem with kernel_params"):
        registry.transform(odd, ROWS)
