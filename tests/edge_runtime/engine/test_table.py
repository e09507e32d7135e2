"""A table in any of its forms becomes the columns the manifest declares, or an error that names one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.bundle.manifest import MISSING_TEXT, Dtype, Input
from edge_runtime.engine.base import Array
from edge_runtime.engine.inputs import is_missing
from edge_runtime.engine.table import TableCheck
from edge_runtime.errors import InputError


def column(name: str, dtype: Dtype, *, allow_nan: bool = False) -> Input:
    return Input(name=name, dtype=dtype, shape=(None,), allow_nan=allow_nan)


CHECK = TableCheck(
    [
        column("age", "float32", allow_nan=True),
        column("visits", "int64"),
        column("member", "bool"),
        column("town", "string", allow_nan=True),
    ]
)
STRICT = TableCheck([column("age", "float32"), column("town", "string")])
TABLE: dict[str, Any] = {
    "town": ["Ulm", None],
    "member": [True, False],
    "visits": [0, 12],
    "age": [30.5, None],
    "unknown": ["passed", "over"],
}


class Frame:
    """What a DataFrame is here: `columns` and columns by name. Polars gives a plain list of names."""

    def __init__(self, columns: Mapping[Any, Any]) -> None:
        self.columns = list(columns)
        self._columns = columns

    def __getitem__(self, name: str) -> Any:
        return self._columns[name]


def as_lists(arrays: Mapping[str, Array]) -> dict[str, list[Any]]:
    return {
        name: [None if is_missing(value) else value for value in array] for name, array in arrays.items()
    }


RECORDS = [{name: values[at] for name, values in TABLE.items()} for at in range(2)]


@pytest.mark.parametrize(
    "table",
    [
        TABLE,
        {name: np.array(values, np.object_) for name, values in TABLE.items()},
        Frame(TABLE),
        RECORDS,
        tuple(RECORDS),
    ],
    ids=["lists", "objects", "frame", "records", "tuple"],
)
def test_every_form_of_a_table_gives_the_same_columns(table: object) -> None:
    found = CHECK.feed(table)

    assert as_lists(found) == {
        "age": [30.5, None],
        "visits": [0, 12],
        "member": [True, False],
        "town": ["Ulm", MISSING_TEXT],
    }
    assert [array.dtype for array in found.values()] == [np.float32, np.int64, np.bool_, np.object_]


ROW = st.tuples(st.integers(-(2**31), 2**31 - 1), st.none() | st.floats(width=32, allow_infinity=False))


@given(st.lists(ROW))
def test_any_numbers_arrive_by_columns_and_by_records(rows: list[tuple[int, float | None]]) -> None:
    check = TableCheck([column("n", "int32"), column("x", "float32", allow_nan=True)])
    records = [{"x": x, "n": n} for n, x in rows]
    columns = {"n": [n for n, _ in rows], "x": [x for _, x in rows]}

    for found in (check.feed(records), check.feed(columns)):
        assert found["n"].tolist() == columns["n"]
        assert found["x"].dtype == np.float32
        np.testing.assert_array_equal(found["x"], np.array(columns["x"], np.float32))


def test_integers_beyond_a_float_stay_exact() -> None:
    found = CHECK.feed(TABLE | {"visits": [2**53 + 1, -(2**63)]})

    assert found["visits"].tolist() == [2**53 + 1, -(2**63)]


def test_a_table_may_have_no_rows() -> None:
    for nothing in ([], {name: [] for name in TABLE}, Frame({name: np.empty(0) for name in TABLE})):
        found = CHECK.feed(nothing)
        assert [array.shape for array in found.values()] == [(0,)] * 4
        assert [array.dtype for array in found.values()] == [np.float32, np.int64, np.bool_, np.object_]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"age": [1, "2"]},
            r"column 'age', row 1: expected a number \(float32\), found '2' of type str",
        ),
        ({"age": ["1", "2"]}, r"column 'age', row 0: .* found '1' of type str"),
        ({"age": np.array(["1", "2"])}, r"column 'age', row 0: .* found '1' of type str"),
        ({"age": [1, np.inf]}, "column 'age', row 1: expected numbers or NaN, found inf"),
        ({"age": [1e39, 1]}, r"column 'age', row 0: expected numbers within float32, found 1e\+39"),
        (
            {"age": [[1], [2]]},
            r"column 'age': expected one value a row, found an array of shape \(2, 1\)",
        ),
        ({"age": [[1], [2, 3]]}, "column 'age': expected numbers in rows of equal length"),
        ({"age": [1]}, "column 'visits': expected 1 rows as in column 'age', found 2"),
        (
            {"visits": [1.0, 2.0]},
            r"column 'visits': expected whole numbers \(int64\), found dtype float64",
        ),
        (
            {"visits": [1, None]},
            r"column 'visits', row 1: expected a whole number .* missing value \(None",
        ),
        (
            {"visits": [1, 2**63]},
            "column 'visits': expected whole numbers .int64., found dtype float64",
        ),
        ({"visits": [1, 10**30]}, "column 'visits': expected numbers .int64., found dtype object"),
        ({"member": [True, None]}, r"column 'member', row 1: expected true or false .* missing value"),
        ({"member": [0, 2]}, "column 'member': expected bool, 0 to 1, found values from 0 to 2"),
        (
            {"member": [0.0, 1.0]},
            r"column 'member': expected true or false \(bool\), found dtype float64",
        ),
        ({"town": ["Ulm", 7]}, "column 'town', row 1: expected a text or None, found 7 of type int"),
        ({"town": ["Ulm", MISSING_TEXT]}, r"column 'town', row 1: .* U\+FFFF"),
        ({"town": "Ulm"}, r"column 'town': .* found a single value. For one row .* \[record\]"),
        (
            {"age": np.array(["2026-01-01"] * 2, "datetime64[D]")},
            "column 'age': .* found dtype datetime64",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_told_by_column_and_row(change: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        CHECK.feed(TABLE | change)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"age": [1, None]},
            r"column 'age', row 1: expected a number .* found a missing value \(None\)",
        ),
        ({"age": [1.0, np.nan]}, "column 'age', row 1: expected finite numbers, found nan"),
        ({"town": ["Ulm", None]}, "column 'town', row 1: expected a text, found a missing value"),
    ],
)
def test_missing_values_are_refused_where_the_model_knows_none(
    change: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        STRICT.feed({"age": [1, 2], "town": ["a", "b"]} | change)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (
            {"age": [1], "city": ["Ulm"]},
            "table: expected the columns 'age', 'town', found 'age', 'city'",
        ),
        (Frame({"age": [1]}), "found 'age': 'town' missing. Name the columns as"),
        (Frame({0: [1], 1: [2]}), "found 0, 1: 'age', 'town' missing"),
        ([{"age": 1, "town": "a"}, {"age": 1}], "row 1: expected the columns .* found 'age'"),
        ([{"age": 1, "town": "a"}, 5], "row 1: expected a mapping as in row 0, found 5"),
        ({}, "found none"),
        (np.ones((3, 2)), r"table: expected a mapping .* found ndarray of shape \(3, 2\)"),
        ([[1, 2]], "found list. The columns are 'age', 'town'"),
        ("age", "found str"),
        ({"age": 1, "town": "a"}, r"column 'age': .* For one row .* one mapping: \[record\]"),
    ],
)
def test_what_is_no_table_is_told_with_the_columns_there_should_be(table: object, told: str) -> None:
    with pytest.raises(InputError, match=told):
        STRICT.feed(table)


def test_of_many_columns_the_first_are_listed() -> None:
    check = TableCheck([column(f"c{at}", "float32") for at in range(1000)])

    with pytest.raises(InputError, match="'c19' and 980 more, found none") as caught:
        check.feed({})
    assert len(str(caught.value)) < 500


def test_a_single_column_may_be_given_alone() -> None:
    texts = TableCheck([column("text", "string")])
    numbers = TableCheck([column("x", "float64")])

    assert texts.feed(["a", "b"])["text"].tolist() == ["a", "b"]
    assert texts.feed({"text": ["a"]})["text"].tolist() == ["a"]
    assert texts.short_way is None
    assert numbers.feed(np.ones(3))["x"].tolist() == [1, 1, 1]
    assert numbers.short_way is not None
    assert STRICT.short_way is None
    with pytest.raises(InputError, match="column 'x': expected one value a row, found a single value"):
        numbers.feed(3)
