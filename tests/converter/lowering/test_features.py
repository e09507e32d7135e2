"""Products of features come in scikit-learn's order and round as its own."""

from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import PolynomialFeatures

from converter.lowering import features
from tests.converter.lowering.in_graph import answers

assert features  # registers


@pytest.mark.parametrize("degree", [0, 1, 2, 3, 4, (2, 3), (0, 2), (3, 3), (2, 6)])
@pytest.mark.parametrize("interaction_only", [False, True])
@pytest.mark.parametrize("include_bias", [False, True])
def test_products_are_the_same_bits(degree: Any, interaction_only: bool, include_bias: bool) -> None:
    x = np.random.default_rng(0).normal(size=(9, 3)) * [1.0, 30.0, 0.01]
    if degree == 0 and not include_bias:
        degree = 5  # of degree 0 nothing would be left
    step = PolynomialFeatures(degree, interaction_only=interaction_only, include_bias=include_bias)
    step.fit(x)
    for dtype in (np.float32, np.float64, np.int64):
        for found in answers(step, x.astype(dtype)):
            np.testing.assert_array_equal(found, step.transform(x.astype(dtype)), strict=True)


def test_one_feature() -> None:
    x = np.array([[2.0], [-3.0]], np.float32)
    step = PolynomialFeatures(3).fit(x)
    for found in answers(step, x):
        np.testing.assert_array_equal(found, step.transform(x), strict=True)
