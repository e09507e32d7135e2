import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LinearRegression

from converter.inputs import Rows, as_labels, as_rows, is_missing
from edge_runtime.errors import InputError


def fitted_on(*names: str) -> LinearRegression:
    model = LinearRegression()
    model.feature_names_in_ = np.array(names, dtype=object)
    return model


FRAME = pd.DataFrame(
    {
        "age": [31, 44, 27],
        "weight": [70.5, np.nan, 62.0],
        "ratio": np.array([0.1, 0.2, 0.3], np.float32),
        "site": ["north", None, "south"],
        "grade": pd.Categorical(["b", "a", None], categories=["a", "b", "c"]),
        "level": pd.Categorical([1, 2, 2]),
        "smoker": [True, False, True],
        "visits": pd.array([1, None, 3], dtype="Int64"),
    }
)


class TestOneArray:
    def test_numbers_become_float32_unless_another_dtype_is_declared(self) -> None:
        for given in ([[1, 2]], np.array([[1.0, np.nan]]), np.array([[True, False]])):
            assert as_rows(given).array.dtype == np.float32
        assert as_rows([[1, 2]], dtype="int64").declared()[0].dtype == "int64"
        assert as_rows([[0.1]], dtype="float64").array[0, 0] == 0.1

    def test_what_does_not_fit_the_declared_dtype_is_refused(self) -> None:
        with pytest.raises(InputError, match=r"whole numbers within int64, found .* at \(0, 0\)"):
            as_rows([[1.5]], dtype="int64")
        with pytest.raises(InputError, match=r"within uint8"):
            as_rows([[300]], dtype="uint8")
        with pytest.raises(
            InputError, match=r"within float32 \(to 3.4e\+38\); found 1e\+39 at \(0, 0\)"
        ):
            as_rows([[1e39]])
        with pytest.raises(InputError, match=r"input_dtype: expected one of float32, .* found 'half'"):
            as_rows([[1.0]], dtype="half")

    @pytest.mark.parametrize(
        ("given", "found"),
        [
            (None, "found an object of type NoneType"),
            (csr_matrix(np.eye(3)), "found an object of type csr_matrix"),
            (np.array([[1j]]), "expected numbers or texts, found dtype complex128"),
            (np.zeros((3, 2), "M8[s]"), "expected numbers or texts, found dtype datetime64"),
            (np.ma.masked_less(np.eye(3), 1), r"found a masked one.*filled\(np.nan\)"),
            ([[1], [1, 2]], "expected an array, found list of another kind"),
        ],
    )
    def test_what_numpy_would_make_numbers_of_in_silence_is_refused(
        self, given: object, found: str
    ) -> None:
        with pytest.raises(InputError, match=f"inputs: .*{found}"):
            as_rows(given)

    def test_its_name_says_whether_it_holds_rows_windows_or_images(self) -> None:
        assert list(as_rows(np.zeros((2, 3))).arrays) == ["rows"]
        assert list(as_rows(np.zeros((2, 3, 4))).arrays) == ["windows"]
        assert list(as_rows(np.zeros((2, 8, 8, 3)), dtype="uint8").arrays) == ["images"]

    def test_texts_stay_texts(self) -> None:
        rows = as_rows(np.array([["a", "b"], ["c", None]], dtype=object))
        (declared,) = rows.declared()
        assert (declared.dtype, declared.shape, declared.allow_nan) == ("string", (None, 2), True)

    @pytest.mark.parametrize("given", [[1.0, 2.0], np.zeros((0, 3)), np.zeros((3, 0)), 5])
    def test_something_that_is_no_rows_is_refused(self, given: object) -> None:
        with pytest.raises(InputError, match="expected shape"):
            as_rows(given)


class TestATable:
    def test_every_column_keeps_its_name_and_dtype(self) -> None:
        rows = as_rows(FRAME, fitted_on(*FRAME.columns))
        assert {given.name: given.dtype for given in rows.declared()} == {
            "age": "int64", "weight": "float64", "ratio": "float32", "site": "string",
            "grade": "string", "level": "int64", "smoker": "bool", "visits": "float64",
        }  # fmt: skip
        assert all(given.shape == (None,) for given in rows.declared())

    def test_missing_values_are_allowed_where_the_inputs_have_some(self) -> None:
        rows = as_rows(FRAME, fitted_on(*FRAME.columns))
        allowed = {given.name for given in rows.declared() if given.allow_nan}
        assert allowed == {"weight", "site", "grade", "visits"}

    def test_the_source_gets_the_frame_it_was_made_from(self) -> None:
        rows = as_rows(FRAME, fitted_on(*FRAME.columns))
        pd.testing.assert_frame_equal(rows.for_source(), FRAME)
        pd.testing.assert_frame_equal(
            rows.take(np.array([2, 0])).for_source(), FRAME.iloc[[2, 0]].reset_index(drop=True)
        )

    def test_a_missing_text_is_what_the_author_wrote(self) -> None:
        for missing in (None, np.nan):
            frame = pd.DataFrame({"site": pd.Series(["a", missing], dtype=object)})
            given = as_rows(frame, fitted_on("site")).for_source()["site"][1]
            assert given is None if missing is None else np.isnan(given)
            array = as_rows(np.array([["a"], [missing]], dtype=object)).for_source()
            assert (array[1, 0] is None) == (missing is None)

    def test_columns_come_in_the_order_of_training_and_others_are_left_out(self) -> None:
        assert list(as_rows(FRAME, fitted_on("weight", "age")).arrays) == ["weight", "age"]

    def test_a_missing_column_is_named(self) -> None:
        with pytest.raises(InputError, match=r"missing \['height'\], found \['age', 'weight'"):
            as_rows(FRAME, fitted_on("age", "height"))

    def test_a_model_that_knows_no_names_gets_an_array(self) -> None:
        rows = as_rows(FRAME[["age", "weight"]], LinearRegression())
        assert isinstance(rows.for_source(), np.ndarray)
        with pytest.raises(InputError, match="fitted on a DataFrame"):
            as_rows(FRAME[["age", "site"]], LinearRegression())

    def test_a_declared_dtype_stands_for_the_floating_columns(self) -> None:
        rows = as_rows(FRAME[["age", "weight"]], fitted_on("age", "weight"), "float32")
        assert [given.dtype for given in rows.declared()] == ["int64", "float32"]

    @pytest.mark.parametrize(
        ("column", "found"),
        [
            (pd.to_datetime(["2026-01-01"] * 3), "Make a number of it first"),
            (["a", 3, "b"], "expected texts, found 3 in row 1"),
            (["a", "￿", "b"], r"found U\+FFFF, which stands for a missing one"),
        ],
    )
    def test_a_column_that_is_neither_numbers_nor_texts_is_refused(
        self, column: object, found: str
    ) -> None:
        with pytest.raises(InputError, match=rf"column 'x': .*{found}"):
            as_rows(pd.DataFrame({"x": column}), fitted_on("x"))


def test_a_column_of_labels_is_a_list_of_labels() -> None:
    assert as_labels([["a"], ["b"]], 2).tolist() == ["a", "b"]
    with pytest.raises(InputError, match="expected 3"):
        as_labels(["a", "b"], 3)


def test_labels_by_name_stay_apart() -> None:
    found = as_labels({"speed": [[1], [2]], "map": np.zeros((2, 3, 3))}, 2)
    assert isinstance(found, dict)
    assert {name: array.shape for name, array in found.items()} == {"speed": (2,), "map": (2, 3, 3)}
    with pytest.raises(InputError, match="labels: 'speed': expected 2, one an input"):
        as_labels({"speed": [1]}, 2)


SEVERAL = Rows({"a": np.arange(6.0).reshape(3, 2), "b": np.array([1, 2, 3])})


def test_several_arrays_are_rows_without_one_array_or_one_shape() -> None:
    assert SEVERAL.is_several
    assert len(SEVERAL) == 3
    assert SEVERAL.shape == ()
    assert SEVERAL.given is SEVERAL.arrays
    taken = SEVERAL.take([2]).joined([SEVERAL.take([0])])
    assert taken.arrays["a"].tolist() == [[4, 5], [0, 1]]
    given = taken.for_source()
    given["b"][0] = 9
    assert taken.arrays["b"].tolist() == [3, 1]
    assert [(each.name, each.dtype, each.shape) for each in SEVERAL.declared()] == [
        ("a", "float64", (None, 2)),
        ("b", "int64", (None,)),
    ]
    with pytest.raises(ValueError, match="too many values"):
        _ = SEVERAL.array


def test_one_array_and_a_table_are_not_several() -> None:
    for rows in (as_rows(np.zeros((3, 2))), as_rows(FRAME[["age", "ratio"]])):
        assert not rows.is_several


def test_arrays_by_name_for_a_model_of_one_are_told_to_be_a_data_frame() -> None:
    with pytest.raises(InputError, match="found arrays by name: 'x', 'y'"):
        as_rows({"x": [1.0], "y": [2.0]}, fitted_on("x", "y"))


def test_missing_is_nan_or_none() -> None:
    assert is_missing(np.array([1.0, np.nan])).tolist() == [False, True]
    assert is_missing(np.array(["a", None], dtype=object)).tolist() == [False, True]
    assert not is_missing(np.array([1, 2])).any()
