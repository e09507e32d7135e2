"""Kept columns keep their dtype, texts among them; pooled ones are scikit-learn's."""

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import FeatureAgglomeration
from sklearn.feature_selection import (
    RFE,
    RFECV,
    GenericUnivariateSelect,
    SelectFdr,
    SelectFpr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
)
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeClassifier

from converter.lowering import registry, selection
from converter.lowering.table import Table
from edge_runtime.errors import UnsupportedModelError
from tests.converter.lowering.in_graph import answers
from tests.converter.lowering.lowered import check

assert selection  # registers


def rows() -> tuple[Any, Any]:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(60, 6))
    x[:, 2] = 1.0
    return x, (x[:, 1] + x[:, 4] > 0).astype(int)


@pytest.mark.filterwarnings("ignore:Features .* are constant", "ignore:invalid value encountered")
@pytest.mark.parametrize(
    "step",
    [
        VarianceThreshold(),
        SelectKBest(k=2),
        SelectPercentile(percentile=40),
        SelectFpr(),
        SelectFdr(),
        SelectFwe(),
        GenericUnivariateSelect(mode="k_best", param=3),
        SelectFromModel(DecisionTreeClassifier(random_state=0)),
        RFE(Ridge(), n_features_to_select=2),
        RFECV(Ridge(), min_features_to_select=2),
        SequentialFeatureSelector(Ridge(), n_features_to_select=2),
    ],
    ids=str,
)
def test_a_selector_keeps_its_columns_bit_for_bit(step: Any) -> None:
    x, y = rows()
    step.fit(x, y)
    for dtype in (np.float32, np.float64):
        for kept in answers(step, x.astype(dtype)):
            np.testing.assert_array_equal(kept, step.transform(x.astype(dtype)), strict=True)


def test_columns_of_a_table_stay_columns_of_their_own() -> None:
    x, y = rows()
    step = SelectKBest(k=2).fit(np.delete(x, 2, axis=1), y)
    texts = np.array([["a"], ["b"]], object)
    table = Table((x[:2, :3].astype(np.float32), texts, x[:2, 4:5]))
    found = registry.transform(step, table)
    assert [block.dtype for block in found.blocks] == [np.float32, object]
    np.testing.assert_array_equal(found.blocks[1], texts)


def test_a_selector_that_keeps_nothing_is_refused() -> None:
    step = SelectKBest(k=0).fit(np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2)
    with pytest.raises(UnsupportedModelError, match=r"^SelectKBest .* none of the 3 columns"):
        registry.transform(step, np.zeros((2, 3)))


@pytest.mark.parametrize("pool", [np.mean, np.max, np.amin, np.median], ids=lambda pool: pool.__name__)
def test_pooled_clusters_of_columns(pool: Any) -> None:
    x, _ = rows()
    check(FeatureAgglomeration(n_clusters=3, pooling_func=pool).fit(x), x)


def test_another_pooling_function_is_refused() -> None:
    x, _ = rows()
    step = FeatureAgglomeration(n_clusters=3, pooling_func=np.sum).fit(x)
    with pytest.raises(UnsupportedModelError, match=r"^FeatureAgglomeration with pooling_func="):
        registry.transform(step, x)
