"""Encoders agree with scikit-learn on known, unknown, infrequent and missing categories.

scikit-learn sees None or NaN where a text is missing; a lowering sees the reserved text.
"""

from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import (
    KBinsDiscretizer,
    LabelBinarizer,
    LabelEncoder,
    OneHotEncoder,
    OrdinalEncoder,
    TargetEncoder,
)

from converter.lowering import registry
from converter.lowering.encoding import is_missing
from converter.lowering.table import Table
from edge_runtime.bundle.manifest import MISSING_TEXT
from edge_runtime.errors import UnsupportedModelError
from tests.converter.lowering.in_graph import answers, refusals
from tests.converter.lowering.lowered import check

pytestmark = pytest.mark.filterwarnings("ignore:Found unknown categories")

COLOURS = ["red"] * 9 + ["green"] * 6 + ["blue"] * 3 + ["pink", "grey"]
SIZES = [1.5] * 8 + [2.0] * 5 + [-0.0] * 4 + [7.25, 8.5, 1e9]


def texts(values: Any) -> Any:
    return np.array(values, dtype=object)[:, None]


def seen(values: Any) -> Any:
    """As a lowering sees texts."""
    missing = [[is_missing(value) for value in row] for row in values]
    return np.where(missing, MISSING_TEXT, values)


def assert_same(step: Any, given: Any, table: Any = None) -> None:
    wanted = step.transform(given)
    wanted = wanted.toarray() if hasattr(wanted, "toarray") else wanted
    for found in answers(step, given if table is None else table):
        np.testing.assert_array_equal(found, wanted, strict=True)


FREQUENCIES: list[dict[str, Any]] = [{}, {"min_frequency": 4}, {"max_categories": 3}]


@pytest.mark.parametrize("drop", [None, "first", "if_binary", ["red"]], ids=str)
@pytest.mark.parametrize("unknown", ["ignore", "infrequent_if_exist", "warn", "error"])
@pytest.mark.parametrize("rarely", FREQUENCIES, ids=str)
def test_one_hot_texts(drop: Any, unknown: str, rarely: Any) -> None:
    step = OneHotEncoder(handle_unknown=unknown, drop=drop, **rarely).fit(texts(COLOURS))
    asked = texts(["blue", "grey", "red", "pink", "green"])
    assert_same(step, asked)
    if unknown != "error":
        assert_same(step, texts(["black", "", "red", "Red"]))


@pytest.mark.parametrize("drop", [None, "first", [2.0]], ids=str)
@pytest.mark.parametrize("unknown", ["ignore", "infrequent_if_exist"])
@pytest.mark.parametrize("rarely", FREQUENCIES, ids=str)
def test_one_hot_numbers(drop: Any, unknown: str, rarely: Any) -> None:
    step = OneHotEncoder(handle_unknown=unknown, drop=drop, **rarely)
    step.fit(np.array(SIZES)[:, None])
    asked = np.array([0.0, 1.5, 2.0, 3.0, 8.5, np.nan, 7.25])[:, None]
    assert_same(step, asked)
    assert_same(step, asked.astype(np.float32))
    assert_same(step, np.array([[0], [2], [3]]))


def test_a_float32_number_is_equal_to_a_category_only_bit_for_bit() -> None:
    step = OneHotEncoder(handle_unknown="ignore").fit([[0.1], [0.5]])
    assert_same(step, np.array([[0.1], [0.5]], np.float32))


@pytest.mark.parametrize("missing", [None, np.nan], ids=str)
@pytest.mark.parametrize("unknown", ["ignore", "error"])
def test_a_missing_text_is_a_category_if_training_had_one(missing: Any, unknown: str) -> None:
    step = OneHotEncoder(handle_unknown=unknown).fit(texts([*COLOURS, missing]))
    asked = texts(["red", missing, "blue"])
    assert_same(step, asked, seen(asked))


def test_a_missing_text_or_number_is_unknown_if_training_had_none() -> None:
    asked = texts(["red", None])
    assert_same(OneHotEncoder(handle_unknown="ignore").fit(texts(COLOURS)), asked, seen(asked))
    step = OneHotEncoder(handle_unknown="ignore").fit([[1.0], [2.0]])
    assert_same(step, np.array([[np.nan], [2.0]]))


def test_missing_numbers_and_columns_of_unlike_kinds() -> None:
    numbers = np.array([[1.0], [np.nan], [3.0]])
    assert_same(OneHotEncoder().fit(numbers), numbers)
    mixed = np.concatenate([numbers.astype(object), texts(["a", "b", "a"])], axis=1)
    step = OneHotEncoder(drop="if_binary", dtype=np.float32).fit(mixed)
    assert_same(step, mixed, Table((numbers, texts(["a", "b", "a"]))))


def test_truth_values_and_texts_of_numpy() -> None:
    truths = np.array([[True], [False], [True]])
    assert_same(OneHotEncoder().fit(truths), truths)
    fixed = np.array([["a"], ["bcd"]])
    assert_same(OneHotEncoder(dtype=np.int32).fit(fixed), fixed, fixed.astype(object))


def test_a_column_of_one_category_may_leave_nothing() -> None:
    given = np.column_stack([np.ones(4), np.arange(4.0)])
    assert_same(OneHotEncoder(drop="first").fit(given), given)


def test_two_kinds_of_missing_values_are_refused() -> None:
    step = OneHotEncoder().fit(texts(["a", None, np.nan]))
    with pytest.raises(UnsupportedModelError, match=r"^OneHotEncoder .* None and NaN"):
        registry.transform(step, texts(["a"]))


@pytest.mark.parametrize("step", [OneHotEncoder(), OrdinalEncoder()], ids=str)
def test_what_the_source_refuses_is_refused_and_its_known_values_are_named(step: Any) -> None:
    given = np.concatenate([texts(["a", "b", None]), np.array([[1.0], [2.0], [np.nan]], object)], axis=1)
    step.fit(given)
    table = Table((texts(["a", "z", "b"]), np.array([[2.0], [2.0], [3.0]])), ("colour", "size"))
    colour, size = refusals(step, table)
    assert colour == (
        [False, True, False],
        "column 'colour' has a category that training had not; known are 'a', 'b', nothing",
    )
    assert size == (
        [False, False, True],
        "column 'size' has a category that training had not; known are 1.0, 2.0, nothing",
    )


def test_who_answers_every_value_refuses_none() -> None:
    lenient = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    with registry.recording() as made:
        registry.transform(OneHotEncoder(handle_unknown="ignore").fit([[1.0]]), np.array([[2.0]]))
        registry.transform(lenient.fit([[1.0]]), np.array([[2.0]]))
    assert not made.refusals


def test_a_refusal_names_a_few_categories() -> None:
    step = OneHotEncoder().fit(np.arange(20)[:, None])
    (refused,) = refusals(step, np.array([[20], [3]]))
    assert refused[0] == [True, False]
    assert refused[1].endswith("known are 0, 1, 2, 3, 4, 5, 6, 7, ...")


@pytest.mark.parametrize("rarely", FREQUENCIES, ids=str)
@pytest.mark.parametrize("unknown_value", [-1, 99, np.nan])
@pytest.mark.parametrize("encoded_missing_value", [np.nan, -2])
def test_ordinals(rarely: Any, unknown_value: Any, encoded_missing_value: Any) -> None:
    step = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=unknown_value,
        encoded_missing_value=encoded_missing_value,
        **rarely,
    )
    asked = texts(["red", "black", np.nan, "grey", "green", "blue"])
    assert_same(step.fit(texts([*COLOURS, np.nan])), asked, seen(asked))
    numbers = np.array([1.5, 3.0, np.nan, 1e9, 2.0])[:, None]
    assert_same(step.fit(np.array([*SIZES, np.nan])[:, None]), numbers)


def test_ordinals_of_given_categories_in_a_given_dtype() -> None:
    step = OrdinalEncoder(categories=[["low", "mid", "high"]], dtype=np.int32)
    assert_same(step.fit(texts(["mid", "low"])), texts(["high", "low", "mid"]))


@pytest.mark.parametrize("target", ["continuous", "binary", "multiclass"])
def test_target_means(target: str) -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([texts(COLOURS), texts([f"c{i % 3}" for i in range(20)])], axis=1)
    y = {"continuous": rng.normal(size=20), "binary": np.arange(20) % 2, "multiclass": np.arange(20) % 3}
    step = TargetEncoder(target_type=target, cv=2).fit(x, y[target])
    asked = np.array([["red", "c1"], ["black", "c2"], ["grey", None]], object)
    assert_same(step, asked, seen(asked))


@pytest.mark.parametrize("encode", ["ordinal", "onehot", "onehot-dense"])
@pytest.mark.parametrize("strategy", ["uniform", "quantile", "kmeans"])
@pytest.mark.parametrize("dtype", [None, np.float32])
def test_bins_and_numbers_on_their_edges(encode: str, strategy: str, dtype: Any) -> None:
    x = np.random.default_rng(1).normal(size=(50, 3)).round(1)
    step = KBinsDiscretizer(n_bins=[3, 4, 5], encode=encode, strategy=strategy, dtype=dtype,
                            quantile_method="averaged_inverted_cdf", random_state=0).fit(x)  # fmt: skip
    edges = np.stack([each[[0, 1, -2, -1]] for each in step.bin_edges_], axis=1)
    check(step, np.vstack([x, edges, np.nextafter(edges, -9), edges + 9.0]))


def test_labels() -> None:
    classes = ["b", "a", "c"]
    step = LabelEncoder().fit(classes)
    for found in answers(step, texts(["c", "a"])):
        np.testing.assert_array_equal(found, step.transform(["c", "a"]), strict=True)
    assert refusals(step, texts(["a", "z"]))[0][0] == [False, True]


@pytest.mark.filterwarnings("ignore:A column-vector y")
@pytest.mark.parametrize("classes", [["b", "a", "c"], ["b", "a"], ["a"]], ids=str)
def test_binarized_labels(classes: Any) -> None:
    step = LabelBinarizer(neg_label=-1, pos_label=2).fit(classes)
    assert_same(step, np.array(["a", "b"]), texts(["a", "b"]))
    numbers = LabelBinarizer().fit(np.arange(len(classes)))
    assert_same(numbers, np.array([0, 1]), np.array([[0], [1]]))


def test_binarized_indicators_are_refused() -> None:
    step = LabelBinarizer().fit(np.array([[0, 1], [1, 1]]))
    with pytest.raises(UnsupportedModelError, match=r"^LabelBinarizer of several labels"):
        registry.transform(step, np.array([[0, 1]]))
