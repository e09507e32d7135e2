"""Only text is text: what becomes an array of `str`, and what is refused and where."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.bundle.manifest import MISSING_TEXT, Input
from edge_runtime.engine.texts import TextCheck
from edge_runtime.errors import EngineError, InputError

WORDS = TextCheck(Input(name="words", dtype="string", shape=(None, 2)))
GAPS = TextCheck(Input(name="words", dtype="string", shape=(None, 2), allow_nan=True))
TEXTS = st.text().filter(lambda text: text != MISSING_TEXT)


@given(st.lists(st.tuples(TEXTS, TEXTS)))
def test_texts_arrive_as_they_were_given(rows: list[tuple[str, str]]) -> None:
    given_rows = np.array(rows, np.object_).reshape(-1, 2)

    assert WORDS.feed(given_rows)["words"].tolist() == [list(row) for row in rows]


@pytest.mark.parametrize(
    "values",
    [
        [["a", "b"], ["c", "d"]],
        np.array([["a", "b"], ["c", "d"]]),
        np.asfortranarray(np.array([["a", "b"], ["c", "d"]], np.object_)),
    ],
)
def test_lists_arrays_and_frames_are_texts_in_order(values: object) -> None:
    batch = WORDS.batch(values)

    assert batch.tolist() == [["a", "b"], ["c", "d"]]
    assert batch.dtype == np.object_
    assert batch.flags.c_contiguous


@pytest.mark.parametrize("nothing", [None, float("nan"), np.float32("nan")])
def test_a_missing_text_passes_where_the_model_knows_some(nothing: object) -> None:
    assert GAPS.batch([["a", nothing]]).tolist() == [["a", MISSING_TEXT]]
    with pytest.raises(InputError, match=r"words\[0, 1\]: expected a text, found a missing value"):
        WORDS.batch([["a", nothing]])


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([["a", "b"], ["c", 3]], r"words\[1, 1\]: expected a text or None, found 3 of type int"),
        ([["a", b"b"]], r"words\[0, 1\]: .* found b'b' of type bytes"),
        ([["a", True]], "of type bool"),
        ([["a", MISSING_TEXT]], r"words\[0, 1\]: .* U\+FFFF, which is kept for internal use"),
        ([["a", "b"], ["\ud83d", "\ude00"]], r"words\[1, 0\]: .* lone surrogate.* '\\ud83d'"),
        (["a", "b"], r"words: expected texts of shape \(n, 2\), found shape \(2,\)"),
        ([["a", "b"], ["c"]], r"words: expected texts"),
        ("ab", r"found shape \(\)"),
        (np.ones((1, 2)), r"words\[0, 0\]: .* found 1.0 of type float"),
    ],
)
def test_what_is_no_text_is_told_with_its_place(values: object, told: str) -> None:
    with pytest.raises(InputError, match=told):
        GAPS.batch(values)


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(InputError) as caught:
        GAPS.batch([["a", ["x" * 10_000]]])

    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("dtype", "shape"), [("float32", (None, 2)), ("string", ()), ("string", (1, 2))]
)
def test_an_input_no_batch_of_texts_can_fit_is_refused(dtype, shape) -> None:
    with pytest.raises(EngineError, match="expected texts with an open batch axis"):
        TextCheck(Input(name="x", dtype=dtype, shape=shape))
