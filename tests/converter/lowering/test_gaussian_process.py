"""Gaussian processes under every kernel of scikit-learn that has a closed form."""

from typing import Any

import numpy as np
import pytest
from scipy.special import erf
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process._gpc import COEFS, LAMBDAS
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    DotProduct,
    Exponentiation,
    ExpSineSquared,
    Matern,
    PairwiseKernel,
    RationalQuadratic,
    WhiteKernel,
)

from converter.lowering import covariances, gaussian_process, registry
from edge_runtime.errors import UnsupportedModelError
from tests.converter.lowering.lowered import check, computed, in_onnx

RANDOM = np.random.default_rng(0)
TRAINED = RANDOM.normal(size=(40, 3)) + 2
ROWS = np.concatenate([RANDOM.normal(size=(20, 3)) + 2, TRAINED[:5]])
TARGETS = np.column_stack([np.sin(TRAINED[:, 0]), TRAINED[:, 1] ** 2 + 50])
CLASSES = np.array(["calm", "run", "walk"])[RANDOM.integers(0, 3, 40)]
KERNELS = [
    None, RBF(0.7), RBF([1, 2, 0.5]), Matern(nu=0.5), Matern(nu=1.5), Matern([1, 2, 3], nu=2.5),
    Matern(nu=np.inf), RationalQuadratic(0.5, 2), 2 * RBF() + WhiteKernel(0.1),
    ConstantKernel(2) + RBF(), DotProduct(0.5) + WhiteKernel(),
    Exponentiation(DotProduct(), 2) + WhiteKernel(), PairwiseKernel(metric="rbf", gamma=0.3),
]  # fmt: skip
ids = [repr(kernel) for kernel in KERNELS]


@pytest.mark.parametrize("kernel", KERNELS, ids=ids)
def test_the_mean_agrees(kernel: Any) -> None:
    model = GaussianProcessRegressor(kernel, alpha=1e-6, optimizer=None)
    check(model.fit(TRAINED, TARGETS[:, 0]), ROWS, tolerance=1e-9)


def test_several_targets_in_their_units_agree() -> None:
    model = GaussianProcessRegressor(RBF(), normalize_y=True, alpha=1e-3, optimizer=None)
    check(model.fit(TRAINED, TARGETS), ROWS)


def test_a_periodic_kernel_agrees() -> None:
    model = GaussianProcessRegressor(ExpSineSquared(1.5, 3) + WhiteKernel(0.1), optimizer=None)
    check(model.fit(TRAINED[:, :1], TARGETS[:, 0]), ROWS[:, :1])


def test_a_process_without_noise_meets_its_training_rows() -> None:
    model = GaussianProcessRegressor(Matern(nu=0.5), optimizer=None).fit(TRAINED, TARGETS[:, 0])
    np.testing.assert_allclose(computed(model, TRAINED)["value"], TARGETS[:, 0], rtol=0, atol=1e-7)


def test_a_kernel_that_is_one_number() -> None:
    model = GaussianProcessRegressor(ConstantKernel(2), alpha=1.0, optimizer=None)
    check(model.fit(TRAINED, TARGETS[:, 0]), ROWS)


@pytest.mark.parametrize("kernel", KERNELS, ids=ids)
def test_two_classes_agree(kernel: Any) -> None:
    check(
        GaussianProcessClassifier(kernel, optimizer=None).fit(TRAINED, CLASSES == "run"),
        ROWS,
        tolerance=1e-9,
    )


@pytest.mark.parametrize("kernel", [None, Matern(nu=1.5), DotProduct()], ids=repr)
def test_several_classes_each_against_the_rest_or_another(kernel: Any) -> None:
    for multi_class in ("one_vs_rest", "one_vs_one"):
        model = GaussianProcessClassifier(kernel, optimizer=None, multi_class=multi_class)
        check(model.fit(TRAINED, CLASSES), ROWS, tolerance=1e-9)


def test_classes_of_rows_far_away_differ_by_less_than_a_coefficient_rounds_to() -> None:
    model = GaussianProcessClassifier(RBF(1.0), optimizer=None).fit(TRAINED, CLASSES)
    far = (ROWS - 2) * 5 + 2
    assert (np.ptp(model.predict_proba(far), axis=1) < 1e-12).any()
    np.testing.assert_array_equal(in_onnx(model, far)["label"], model.predict(far))


def test_float32_keeps_its_digits_from_next_to_the_training_rows_to_far_away() -> None:
    model = GaussianProcessClassifier(4 * RBF(1.0), optimizer=None).fit(TRAINED, CLASSES)
    rows = np.concatenate([ROWS, (ROWS - 2) * 3 + 2]).astype(np.float32)
    found = in_onnx(model, rows, standard=True)["probabilities"]
    assert found.dtype == np.float32
    assert np.abs(found - model.predict_proba(rows)).max() < 1e-6


@pytest.mark.parametrize("spread", [0.0, 1e-3, 0.5, 20.0, 1e5])
def test_one_error_function_and_a_series_are_the_five_of_scikit_learn(spread: float) -> None:
    mean = np.concatenate([np.linspace(-20, 20, 201), [-1e6, 1e6]])
    reach = np.sqrt(1 + 2 * spread * np.ravel(LAMBDAS) ** 2)
    five = erf(mean[:, None] * np.ravel(LAMBDAS) / reach) @ np.ravel(COEFS)
    found = gaussian_process._probability(mean, np.full_like(mean, spread))
    np.testing.assert_allclose(found, 0.5 * (five + COEFS.sum()), rtol=0, atol=1e-11)


def test_kernels_without_a_closed_form_are_refused() -> None:
    class Own(RBF):
        pass

    for kernel, said in [(Matern(nu=0.7), "Matern\\(nu=0.7\\)"), (Own(), "the kernel Own")]:
        model = GaussianProcessRegressor(kernel, optimizer=None).fit(TRAINED, TARGETS[:, 0])
        with pytest.raises(UnsupportedModelError, match=rf"^GaussianProcessRegressor with {said}"):
            registry.value(model, ROWS)
    paired = PairwiseKernel(metric="laplacian")
    classes = GaussianProcessClassifier(paired, optimizer=None).fit(TRAINED, CLASSES == "run")
    with pytest.raises(UnsupportedModelError, match="variance has no closed form"):
        registry.scores(classes, ROWS)


def test_a_prior_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="before it is fitted"):
        registry.value(GaussianProcessRegressor(), ROWS)


@pytest.mark.parametrize("kernel", KERNELS[1:], ids=ids[1:])
def test_a_variance_is_the_kernels_diagonal(kernel: Any) -> None:
    found = covariances.variance(None, kernel, ROWS)
    np.testing.assert_allclose(np.broadcast_to(found, len(ROWS)), kernel.diag(ROWS), rtol=1e-13)
    assert gaussian_process
