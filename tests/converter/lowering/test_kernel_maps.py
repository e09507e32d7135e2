"""Random and sampled feature maps of kernels."""

from typing import Any

import numpy as np
import pytest
from sklearn.kernel_approximation import (
    AdditiveChi2Sampler,
    PolynomialCountSketch,
    RBFSampler,
    SkewedChi2Sampler,
)

from converter.lowering import kernel_maps
from tests.converter.lowering.lowered import check, computed

RANDOM = np.random.default_rng(0)
TRAINED, ROWS = np.abs(RANDOM.normal(size=(40, 5))), np.abs(RANDOM.normal(size=(20, 5)))
ROWS[::4, 1] = 0.0
assert kernel_maps


@pytest.mark.parametrize("gamma", [1.0, "scale"])
def test_rbf_sampler_agrees(gamma: Any) -> None:
    check(RBFSampler(gamma=gamma, n_components=20, random_state=0).fit(TRAINED), ROWS)


def test_skewed_chi2_sampler_agrees() -> None:
    check(SkewedChi2Sampler(skewedness=0.1, n_components=20, random_state=0).fit(TRAINED), ROWS)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_additive_chi2_sampler_agrees_and_zero_stays_zero(steps: int) -> None:
    step = AdditiveChi2Sampler(sample_steps=steps).fit(TRAINED)
    check(step, ROWS)
    assert (computed(step, np.zeros((1, 5)))["transform"] == 0.0).all()


def test_additive_chi2_sampler_of_a_given_interval() -> None:
    check(AdditiveChi2Sampler(sample_steps=4, sample_interval=0.3).fit(TRAINED), ROWS)


def test_what_scikit_learn_raises_for_is_not_a_number() -> None:
    step = AdditiveChi2Sampler().fit(TRAINED)
    with pytest.raises(ValueError, match="Negative"):
        step.transform(-ROWS)
    assert np.isnan(computed(step, np.full((1, 5), -1.0))["transform"]).any()


@pytest.mark.parametrize("size", [16, 17, 1])
@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("coef0", [0, 2])
def test_polynomial_count_sketch_agrees(size: int, degree: int, coef0: int) -> None:
    step = PolynomialCountSketch(
        gamma=0.3, degree=degree, coef0=coef0, n_components=size, random_state=0
    )
    check(step.fit(TRAINED), ROWS)
