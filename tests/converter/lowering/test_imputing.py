"""Imputers fill as scikit-learn does, in the dtype of the rows, and drop the columns that it drops."""

from typing import Any

import numpy as np
import pytest
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, MissingIndicator, SimpleImputer
from sklearn.linear_model import Ridge

from converter.lowering import imputing, linear, registry
from converter.lowering.encoding import is_missing
from converter.lowering.table import Table
from edge_runtime.bundle.manifest import MISSING_TEXT
from edge_runtime.errors import UnsupportedModelError
from tests.converter.lowering.in_graph import answers, refusals, run_blocks
from tests.converter.lowering.lowered import check

assert imputing, linear  # they register

pytestmark = pytest.mark.filterwarnings(
    "ignore:Skipping features without any observed values", "ignore:.*Early stopping criterion"
)


def rows(count: int = 40, *, empty: bool = True) -> Any:
    """Five columns: the second complete, the third without a value, all others with gaps."""
    rng = np.random.default_rng(6)
    found = rng.normal(size=(count, 5)).round(1) * [1.0, 2.0, 1.0, 30.0, 1.0]
    found[:, 4] = found[:, 0] + found[:, 1] + 0.1 * found[:, 4]
    gaps = rng.random(found.shape) < 0.3
    gaps[:, 1], gaps[:, 2] = False, empty
    return np.where(gaps, np.nan, found)


def assert_same_bits(step: Any, asked: Any) -> None:
    for dtype in (np.float32, np.float64):
        for found in answers(step, asked.astype(dtype)):
            np.testing.assert_array_equal(found, step.transform(asked.astype(dtype)), strict=True)


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent", "constant"])
@pytest.mark.parametrize("keep_empty_features", [False, True])
@pytest.mark.parametrize("add_indicator", [False, True])
@pytest.mark.parametrize("fitted_on", [np.float32, np.float64])
def test_one_value_a_column(
    strategy: str, keep_empty_features: bool, add_indicator: bool, fitted_on: Any
) -> None:
    step = SimpleImputer(
        strategy=strategy, keep_empty_features=keep_empty_features, add_indicator=add_indicator
    )
    step.fit(rows().astype(fitted_on))
    asked = rows()[:10]
    asked[0] = np.nan  # all at once, and a column that was complete in training
    assert_same_bits(step, asked)


def test_a_number_that_means_missing() -> None:
    coded = np.nan_to_num(rows(), nan=-999.0)
    assert_same_bits(SimpleImputer(missing_values=-999).fit(coded), coded)
    assert_same_bits(SimpleImputer(missing_values=0.1, add_indicator=True).fit(coded), coded)


def test_whole_numbers_stay_whole_where_scikit_learn_leaves_them() -> None:
    whole = np.array([[1, -1], [2, 5], [-1, 5]])
    for strategy in ("most_frequent", "constant", "mean"):
        step = SimpleImputer(strategy=strategy, missing_values=-1).fit(whole)
        for found in answers(step, whole):
            np.testing.assert_array_equal(found, step.transform(whole), strict=True)


def test_columns_of_unlike_dtype_become_one_matrix() -> None:
    step = SimpleImputer(strategy="constant", fill_value=7.0)
    given = np.array([[1.0, np.nan], [2.0, 5.0]])
    table = Table((np.array([[1], [2]]), given[:, 1:].astype(np.float32)))
    for found in answers(step.fit(given), table):
        np.testing.assert_array_equal(found, step.transform(given), strict=True)


def texts(*columns: list[Any]) -> Any:
    return np.array(columns, dtype=object).T


def seen(values: Any) -> Any:
    """As a lowering sees texts."""
    return np.where([[is_missing(value) for value in row] for row in values], MISSING_TEXT, values)


@pytest.mark.parametrize("missing", [None, np.nan, "?"], ids=str)
@pytest.mark.parametrize("strategy", ["most_frequent", "constant"])
@pytest.mark.parametrize("keep_empty_features", [False, True])
def test_missing_texts(missing: Any, strategy: str, keep_empty_features: bool) -> None:
    given = texts(["b", "a", "a", missing], [missing] * 4, ["x", missing, "z", "y"])
    given = given if strategy == "constant" or not keep_empty_features else given[:, [0, 2]]
    step = SimpleImputer(
        missing_values=missing, strategy=strategy, keep_empty_features=keep_empty_features
    )
    step.fit(given)
    for found in answers(step, seen(given)):
        np.testing.assert_array_equal(found, step.transform(given), strict=True)


def test_texts_beside_numbers_and_their_indicator() -> None:
    given = texts(["a", None, "b"], [1.0, None, 3.0])
    step = SimpleImputer(missing_values=None, strategy="most_frequent", add_indicator=True).fit(given)
    table = Table((seen(given[:, :1]), given[:, 1:].astype(np.float64)))
    found = registry.transform(step, table)
    assert [block.dtype for block in found.blocks] == [object, np.float64, np.float64]
    for blocks in (found.blocks, run_blocks(step, table)):
        together = np.concatenate([block.astype(object) for block in blocks], axis=1)
        np.testing.assert_array_equal(together, step.transform(given))


def test_a_number_in_the_place_of_a_text_is_refused() -> None:
    given = texts(["a", "b"], [None, None])
    step = SimpleImputer(missing_values=None, strategy="most_frequent", keep_empty_features=True)
    with pytest.raises(UnsupportedModelError, match=r"^SimpleImputer .* puts 0 into a column of texts"):
        registry.transform(step.fit(given), seen(given))


@pytest.mark.parametrize("features", ["missing-only", "all"])
@pytest.mark.parametrize("sparse", [True, False])
def test_where_values_are_missing(features: str, sparse: bool) -> None:
    step = MissingIndicator(features=features, sparse=sparse).fit(rows())
    wanted = step.transform(rows()[5:15])
    wanted = wanted.toarray() if sparse else wanted
    for found in answers(step, rows()[5:15]):
        np.testing.assert_array_equal(found, wanted, strict=True)
    given = texts(["a", None], ["b", "c"])
    step = MissingIndicator(missing_values=None, features=features).fit(given)
    for found in answers(step, seen(given)):
        np.testing.assert_array_equal(found, step.transform(given), strict=True)


def test_a_value_missing_where_training_lacked_none_is_refused() -> None:
    step = MissingIndicator().fit(rows())
    asked = rows()[:3]
    asked[1, 1] = np.nan
    assert [found for found, _ in refusals(step, asked)] == [[False, True, False]]
    step = MissingIndicator(error_on_new=False).fit(rows())
    with registry.recording() as made:
        registry.transform(step, asked)
    assert not made.refusals


def test_an_imputer_that_leaves_no_column_is_refused() -> None:
    empty = np.full((3, 2), np.nan)
    with pytest.raises(UnsupportedModelError, match=r"^SimpleImputer .* every column was empty"):
        registry.transform(SimpleImputer().fit(empty), empty)


def test_an_indicator_without_a_column_adds_none() -> None:
    asked = rows()[:5, [0, 1]]
    assert_same_bits(SimpleImputer(add_indicator=True).fit(np.ones((3, 2))), asked)
    assert_same_bits(MissingIndicator(error_on_new=False).fit(np.ones((3, 2))), asked)


def test_columns_keep_their_names() -> None:
    step = SimpleImputer(add_indicator=True).fit(rows())
    table = Table((rows()[:2],), ("a", "b", "c", "d", "e"))
    found = registry.transform(step, table)
    assert found.names == tuple(step.get_feature_names_out(list("abcde")))


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("keep_empty_features", [False, True])
@pytest.mark.parametrize("add_indicator", [False, True])
@pytest.mark.parametrize("n_neighbors", [1, 4, 100])
def test_neighbours(
    weights: str, keep_empty_features: bool, add_indicator: bool, n_neighbors: int
) -> None:
    step = KNNImputer(
        n_neighbors=n_neighbors,
        weights=weights,
        keep_empty_features=keep_empty_features,
        add_indicator=add_indicator,
    )
    rng = np.random.default_rng(1)  # no two rows at the same distance
    step.fit(rows() + 1e-3 * rng.normal(size=rows().shape))
    asked = rows()[:12] + 1e-2 * rng.normal(size=(12, 5))
    asked[0] = np.nan  # shares no column with any row: the mean
    asked[1, :4] = np.nan
    check(step, asked, tolerance=1e-9)


def test_a_row_of_training_is_its_own_neighbour() -> None:
    train = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [np.nan, 5.0, 9.0], [1.0, 7.0, np.nan]])
    asked = np.array([[1.0, 2.0, np.nan], [np.nan, 5.0, 6.0]])
    check(KNNImputer(n_neighbors=2, weights="distance").fit(train), asked)


def test_neighbours_of_rows_with_a_number_that_means_missing() -> None:
    coded = np.nan_to_num(rows(empty=False), nan=-1e3)
    check(KNNImputer(missing_values=-1e3, n_neighbors=1).fit(coded), coded[:10] + 0.0)


def test_other_weights_of_neighbours_are_refused() -> None:
    step = KNNImputer(weights=lambda distance: distance).fit(rows())
    with pytest.raises(UnsupportedModelError, match=r"^KNNImputer with metric="):
        registry.transform(step, rows())


@pytest.mark.parametrize("order", ["ascending", "descending", "roman", "arabic", "random"])
@pytest.mark.parametrize("options", [
    {}, {"keep_empty_features": True, "add_indicator": True}, {"skip_complete": True, "max_iter": 3},
    {"min_value": -1.0, "max_value": [0.5] * 5}, {"n_nearest_features": 2, "initial_strategy": "median"},
    {"max_iter": 0},
], ids=str)  # fmt: skip
def test_rounds_of_predictions(order: str, options: Any) -> None:
    step = IterativeImputer(Ridge(), imputation_order=order, random_state=0, **options).fit(rows())
    asked = rows()[:15]
    asked[0], asked[1, 1] = np.nan, np.nan
    check(step, asked, tolerance=1e-9)


def test_rounds_of_the_default_estimator() -> None:
    check(IterativeImputer(max_iter=3).fit(rows()), rows()[:15], tolerance=1e-9)


def test_imputation_by_chance_is_refused() -> None:
    step = IterativeImputer(sample_posterior=True, max_iter=2, random_state=0).fit(rows())
    with pytest.raises(UnsupportedModelError, match=r"^IterativeImputer with sample_posterior=True"):
        registry.transform(step, rows())
