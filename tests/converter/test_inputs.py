import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from converter.inputs import as_labels, as_rows, digest
from edge_runtime.errors import InputError


class Frame:
    """What a DataFrame shows: columns, and an array."""

    def __init__(self, columns: list[str]) -> None:
        self.columns = columns

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return np.zeros((3, len(self.columns)))


def test_the_columns_of_a_table_must_be_those_of_training() -> None:
    model = LinearRegression()
    model.feature_names_in_ = np.array(["a", "b"], dtype=object)
    assert as_rows(Frame(["a", "b"]), model).shape == (3, 2)
    with pytest.raises(InputError, match=r"\['a', 'b'\].*found \['b', 'a'\]"):
        as_rows(Frame(["b", "a"]), model)


def test_inputs_become_float32_whatever_numbers_they_were() -> None:
    for given in ([[1, 2]], np.array([[1.0, np.nan]]), np.array([[True, False]])):
        assert as_rows(given).dtype == np.float32


def test_a_column_of_labels_is_a_list_of_labels() -> None:
    assert as_labels([["a"], ["b"]], 2).tolist() == ["a", "b"]
    with pytest.raises(InputError, match="expected 3"):
        as_labels(["a", "b"], 3)


def test_a_digest_knows_dtype_shape_and_texts() -> None:
    arrays = [
        np.zeros(4, np.float32), np.zeros(4, np.int32), np.zeros((2, 2), np.float32),
        np.array(["a", "b"]), np.array(["ab", ""]),
    ]  # fmt: skip
    assert len({digest(array) for array in arrays}) == len(arrays)
    assert digest(np.array(["a", "b"], dtype=object)) == digest(arrays[3])
