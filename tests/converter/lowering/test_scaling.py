"""Scalers give the numbers of scikit-learn, and those without sums or logarithms give the same bits."""

from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri
from sklearn.preprocessing import (
    Binarizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from converter.lowering.scaling import normal_quantile
from tests.converter.lowering.in_graph import answers, refusals
from tests.converter.lowering.lowered import check


def rows(count: int = 60) -> Any:
    """Six features: two ordinary, one large, one tiny, one constant, one with repeated values."""
    rng = np.random.default_rng(3)
    found = rng.normal(size=(count, 6)) * [1.0, 7.0, 1e6, 1e-7, 0.0, 1.0]
    found[:, 4], found[:, 5] = 2.5, np.round(found[:, 5])
    return found


def with_missing(given: Any) -> Any:
    found = given.copy()
    found[::4, :3] = np.nan
    return found


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize(
    "step",
    [
        StandardScaler(),
        StandardScaler(with_mean=False),
        StandardScaler(with_std=False),
        StandardScaler(with_mean=False, with_std=False),
        MinMaxScaler(),
        MinMaxScaler(feature_range=(-1.5, 0.1), clip=True),
        MaxAbsScaler(),
        MaxAbsScaler(clip=True),
        RobustScaler(),
        RobustScaler(with_centering=False),
        RobustScaler(with_scaling=False, unit_variance=True),
    ],
    ids=str,
)
@pytest.mark.parametrize("fitted_on", [np.float32, np.float64])
def test_a_scaler_gives_the_same_bits_in_either_dtype(step: Any, fitted_on: Any, missing: bool) -> None:
    step.fit(rows().astype(fitted_on))
    asked = 3.0 * rows(20)  # beyond what was seen too
    asked = with_missing(asked) if missing else asked
    for dtype in (np.float32, np.float64):
        for found in answers(step, asked.astype(dtype)):
            np.testing.assert_array_equal(found, step.transform(asked.astype(dtype)), strict=True)


def test_whole_numbers_become_float64() -> None:
    whole = np.arange(12).reshape(4, 3)
    step = StandardScaler().fit(whole)
    for found in answers(step, whole):
        np.testing.assert_array_equal(found, step.transform(whole), strict=True)


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_rows_of_zeros_and_of_nearly_zeros_are_not_divided(norm: str) -> None:
    asked = np.vstack([rows(10)[:, :4], np.zeros(4), np.full(4, 1e-9), np.full(4, 1e-17), [0, 0, -3, 0]])
    step = Normalizer(norm=norm).fit(asked)
    check(step, asked, float32_tolerance=1e-6)


@pytest.mark.parametrize("threshold", [0.0, 0.1, -1.0])
def test_the_threshold_itself_is_not_above_it(threshold: float) -> None:
    asked = np.array([[threshold, np.nextafter(threshold, 9), -5.0], [0.0, 0.1, 0.2]])
    step = Binarizer(threshold=threshold).fit(asked)
    for dtype in (np.float32, np.float64):
        for found in answers(step, asked.astype(dtype)):
            np.testing.assert_array_equal(found, step.transform(asked.astype(dtype)), strict=True)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
@pytest.mark.parametrize("power", [None, 0.0, 2.0, 1e-20, -1.5])
def test_power_transforms_and_their_logarithmic_cases(
    method: str, standardize: bool, power: float | None
) -> None:
    train = np.random.default_rng(5).gamma(2.0, size=(50, 3)) + 0.1
    train = train if method == "box-cox" else train - 1.0
    step = PowerTransformer(method=method, standardize=standardize).fit(train)
    if power is not None:
        step.lambdas_[1] = power
    asked = np.vstack([train[:10], 3 * train[:5] if method == "box-cox" else -2 * train[:5]])
    asked[0, 0], asked[1, 1] = np.nan, 1e-9
    check(step, asked, float32_tolerance=3e-7)


def test_box_cox_refuses_what_is_not_above_zero() -> None:
    step = PowerTransformer(method="box-cox").fit([[1.0], [2.0]])
    asked = np.array([[0.5], [0.0], [np.nan], [-1.0]])
    assert [rows for rows, _ in refusals(step, asked)] == [[False, True, False, True]]


@pytest.mark.parametrize("output", ["uniform", "normal"])
def test_quantiles_with_ties_outliers_and_missing_values(output: str) -> None:
    train = rows(200)
    step = QuantileTransformer(n_quantiles=50, output_distribution=output, random_state=0).fit(train)
    ends = np.vstack([train.min(axis=0), train.max(axis=0), np.full(6, -1e9), np.full(6, 1e9)])
    check(step, np.vstack([with_missing(train[:40]), ends, 1.1 * train[:20]]), float32_tolerance=1e-6)


def test_quantiles_of_few_rows_and_of_a_subsample() -> None:
    train = rows(300)
    check(QuantileTransformer(n_quantiles=2, subsample=100, random_state=1).fit(train), train)


def test_the_normal_quantile_is_accurate_to_its_ends() -> None:
    tail = np.logspace(-10.8, -1, 400)
    share = np.concatenate([tail, np.linspace(0.05, 0.95, 801), 1 - tail, [0.075, 0.925]])
    np.testing.assert_allclose(normal_quantile(share), ndtri(share), rtol=2e-15, atol=1e-15)
    assert normal_quantile(np.array([0.5]))[0] == 0.0
    assert np.isnan(normal_quantile(np.array([np.nan]))[0])
