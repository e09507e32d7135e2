"""Gaussian mixtures: every form of covariance."""

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

import converter.lowering.mixtures  # noqa: F401 -- registers what is tested
from tests.converter.lowering.lowered import agree, check, computed, expected, in_onnx

ROWS, _ = make_blobs(150, 3, centers=4, cluster_std=2.5, random_state=1)
NEW = np.random.default_rng(0).uniform(-12, 12, size=(200, 3))
KINDS = ["full", "tied", "diag", "spherical"]


def fitted(model: Any, rows: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(rows)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("components", [1, 4])
def test_a_mixture(kind: str, components: int) -> None:
    check(fitted(GaussianMixture(components, covariance_type=kind, random_state=0), ROWS), NEW)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prior", ["dirichlet_process", "dirichlet_distribution"])
def test_a_bayesian_mixture(kind: str, prior: str) -> None:
    model = BayesianGaussianMixture(
        n_components=6, covariance_type=kind, weight_concentration_prior_type=prior, random_state=0
    )
    check(fitted(model, ROWS), NEW)
    check(model, NEW[:1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_component_of_weight_0_is_never_chosen(kind: str) -> None:
    model = fitted(GaussianMixture(3, covariance_type=kind, random_state=0), ROWS)
    model.weights_ = np.array([0.0, 0.5, 0.5])
    with np.errstate(divide="ignore"):
        check(model, NEW)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_far_from_zero_and_close_to_one_another(kind: str) -> None:
    """scikit-learn's own sums lose digits there; the same mixture around 0 shows what is right."""
    model = fitted(GaussianMixture(4, covariance_type=kind, random_state=0), ROWS)
    wanted = expected(model, NEW)
    model.means_ = model.means_ + 2.0**20
    for answer in (computed, in_onnx):
        agree(answer(model, NEW + 2.0**20), wanted, 1e-7)
