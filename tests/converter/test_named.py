"""Which array is which input of a model of several."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from converter.named import Wanted, as_named
from edge_runtime.errors import InputError, UnsupportedModelError

IMAGE = Wanted("image", (None, 4), "float32")
PLACE = Wanted("place", (1,), "int32")
ANY = Wanted("any", None, "bfloat16")
GIVEN: dict[str, Any] = {"image": np.zeros((2, 3, 4)), "place": [[1], [2]]}


def test_arrays_come_in_the_models_order_and_dtypes() -> None:
    rows = as_named(dict(reversed(GIVEN.items())), [IMAGE, PLACE], None)
    assert {name: (array.dtype.name, array.shape) for name, array in rows.arrays.items()} == {
        "image": ("float32", (2, 3, 4)),
        "place": ("int32", (2, 1)),
    }
    assert list(rows.arrays) == ["image", "place"]
    assert rows.is_several


def test_another_dtype_stands_for_the_floating_ones() -> None:
    rows = as_named(GIVEN, [IMAGE, PLACE], "float64")
    assert [array.dtype.name for array in rows.arrays.values()] == ["float64", "int32"]
    with pytest.raises(InputError, match="input_dtype: expected one of float32"):
        as_named(GIVEN, [IMAGE, PLACE], "float8")


def test_what_the_model_does_not_say_is_float32_of_any_shape() -> None:
    rows = as_named({"any": np.zeros(2), "place": [1, 2]}, [ANY, PLACE], None)
    assert {name: (array.dtype.name, array.shape) for name, array in rows.arrays.items()} == {
        "any": ("float32", (2,)),
        "place": ("int32", (2, 1)),
    }


def test_a_data_frame_and_a_list_have_an_array_for_each() -> None:
    other = Wanted("other", (1,), "float32")
    frame = pd.DataFrame({"other": [0.5, 1.5], "place": [1, 2]})
    for given in (frame, [[1, 2], [0.5, 1.5]]):
        rows = as_named(given, [PLACE, other], None)
        assert rows.arrays["other"].tolist() == [[0.5], [1.5]]
        assert rows.arrays["place"].tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"image": GIVEN["image"]}, "'image', 'place'; found 'image': 'place' is missing"),
        ({**GIVEN, "x": [0, 1]}, "found 'image', 'place', 'x': 'x' is none of the model's"),
        ([GIVEN["image"]], "found list. Give a dict of them"),
        (
            {**GIVEN, "image": np.zeros((2, 4))},
            r"expected shape \(inputs, any, 4\), which the model takes",
        ),
        ({**GIVEN, "place": 3}, r"'place': expected shape \(inputs, 1\).*; found \(\)"),
        ({**GIVEN, "place": [[1]]}, "'place': expected 2 rows as of 'image', found 1"),
        ({"image": np.zeros((0, 3, 4)), "place": np.zeros((0, 1))}, "'image': expected some rows"),
        ({**GIVEN, "place": [["a"], ["b"]]}, "'place': expected numbers, found dtype <U1"),
        ({**GIVEN, "place": [[1.5], [2]]}, "'place': expected whole numbers within int32, found 1.5"),
        ({**GIVEN, "image": np.full((2, 3, 4), 1e39)}, "'image': expected numbers within float32"),
    ],
)
def test_what_does_not_fit_is_one_sentence(given: Any, told: str) -> None:
    with pytest.raises(InputError, match=f"^inputs: .*{told}"):
        as_named(given, [IMAGE, PLACE], None)


def test_more_inputs_than_a_bundle_has_files_for_are_refused() -> None:
    many = [Wanted(f"x{at}", (1,), "float32") for at in range(129)]
    with pytest.raises(UnsupportedModelError, match="at most 128 inputs, found 129"):
        as_named({}, many, None)
    with pytest.raises(InputError, match="'x19' and 108 more; found none: 'x0' is missing"):
        as_named({}, many[:128], None)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (Wanted("words", (1,), "string"), "input 'words' takes texts, and of several inputs a bundle"),
        (Wanted("a\nb", (1,), "float32"), "name is not 1 to 256 characters without control characters"),
        (Wanted("", (1,), "float32"), "name is not 1 to 256 characters"),
    ],
)
def test_inputs_that_no_bundle_holds_are_refused(wanted: Wanted, told: str) -> None:
    with pytest.raises(UnsupportedModelError, match=told):
        as_named({}, [IMAGE, wanted], None)
