"""Tables as pandas has them, with each of its ways to say that a value is missing."""

import numpy as np
import pytest

from edge_runtime.bundle.manifest import MISSING_TEXT
from edge_runtime.errors import InputError
from tests.edge_runtime.engine.test_table import CHECK, STRICT, TABLE, as_lists
from tests.edge_runtime.engine.test_texts import GAPS

pd = pytest.importorskip("pandas")
FRAME = pd.DataFrame(TABLE)


@pytest.mark.parametrize(
    "frame",
    [
        FRAME,
        FRAME.convert_dtypes(),
        FRAME.astype({"town": "category"}),
        FRAME.astype(object),
        FRAME.set_index(np.array([7, 3])),
        FRAME[FRAME.columns[::-1]],
        FRAME.iloc[::-1].iloc[::-1],
        FRAME.to_dict("records"),
        FRAME.convert_dtypes().to_dict("records"),
        dict(FRAME.items()),
    ],
    ids=str.split("frame nullable category object index order strided records na-records series"),
)
def test_every_kind_of_column_gives_the_same(frame: object) -> None:
    found = CHECK.feed(frame)

    assert as_lists(found) == {
        "age": [30.5, None],
        "visits": [0, 12],
        "member": [True, False],
        "town": ["Ulm", MISSING_TEXT],
    }
    assert [array.dtype for array in found.values()] == [np.float32, np.int64, np.bool_, np.object_]


def test_no_rows_are_no_rows() -> None:
    assert [array.shape for array in CHECK.feed(FRAME.iloc[:0]).values()] == [(0,)] * 4


def test_a_missing_value_is_refused_where_the_model_knows_none() -> None:
    frame = pd.DataFrame({"age": [1.0, None], "town": ["a", "b"]})

    with pytest.raises(InputError, match="column 'age', row 1: expected finite numbers, found nan"):
        STRICT.feed(frame)
    with pytest.raises(InputError, match="column 'age', row 1: expected finite numbers, found nan"):
        STRICT.feed(frame.convert_dtypes())
    visits = FRAME.assign(visits=pd.array([1, None], "Int64"))
    with pytest.raises(InputError, match=r"column 'visits', row 1: expected a whole number .* missing"):
        CHECK.feed(visits)


def test_two_columns_of_one_name_are_no_column() -> None:
    frame = pd.DataFrame([[1.0, 2.0, "a"]], columns=["age", "age", "town"])

    with pytest.raises(InputError, match=r"column 'age': .* found an array of shape \(1, 2\)"):
        STRICT.feed(frame)


def test_columns_without_names_are_told() -> None:
    with pytest.raises(InputError, match="found 0, 1: 'age', 'town' missing"):
        STRICT.feed(pd.DataFrame([[1.0, "a"]]))


@pytest.mark.parametrize("frame", [pd.DataFrame({"x": ["a"], "y": [None]}), [["a", pd.NA]]])
def test_an_array_of_texts_may_be_a_frame(frame: object) -> None:
    assert GAPS.batch(frame).tolist() == [["a", MISSING_TEXT]]
