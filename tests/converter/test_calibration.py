"""Calibration inputs come from training, are enough, and are never what the variants are judged by."""

from typing import Any

import numpy as np
import pytest

from converter.calibration import Calibration, read_calibration
from converter.inputs import Rows, as_rows
from edge_runtime.errors import InputError

RANDOM = np.random.default_rng(0)
HELD_OUT = as_rows(RANDOM.normal(size=(40, 3)))


def read(given: Any, known: Rows | None = None) -> Calibration | None:
    return read_calibration(HELD_OUT, given, known, as_rows)


def test_those_given_are_taken_and_have_a_digest() -> None:
    found = read(RANDOM.normal(size=(20, 3)))

    assert found is not None
    assert len(found.rows) == 20
    assert len(found.sha256) == 64


def test_of_many_512_are_taken_evenly() -> None:
    given = np.arange(5000.0).reshape(-1, 1) * [1, 1, 1]

    found = read(given)

    assert found is not None
    assert len(found.rows) == 512
    places = found.rows.array[:, 0]
    assert (places[0], places[-1]) == (0, 4999)
    assert np.diff(places).min() >= 9


def test_what_is_held_out_too_does_not_count() -> None:
    new = RANDOM.normal(size=(12, 3)).astype(np.float32)

    found = read(np.concatenate([HELD_OUT.array[:30], new]))

    assert found is not None
    assert np.array_equal(found.rows.array, new)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (RANDOM.normal(size=(9, 3)), "expected at least 10 inputs from training, found 9"),
        (HELD_OUT.array, "40 of the 40 are held-out inputs too, which do not count; found 0"),
        (
            RANDOM.normal(size=(20, 4)),
            r"calibration: expected rows of shape \(3,\), as the inputs; found",
        ),
        ([["a", "b", "c"]] * 20, "calibration: "),
    ],
)
def test_too_few_or_others_are_refused_in_a_sentence(given: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read(given)


def test_training_inputs_that_were_given_for_something_else_serve_too() -> None:
    known = as_rows(RANDOM.normal(size=(20, 3)))

    found = read(None, known)

    assert found is not None
    assert np.array_equal(found.rows.array, known.array)


def test_too_few_of_those_are_no_mistake_of_the_authors() -> None:
    assert read(None, as_rows(RANDOM.normal(size=(9, 3)))) is None
    assert read(None, None) is None


def test_texts_and_several_columns_are_compared_as_rows() -> None:
    pd = pytest.importorskip("pandas")
    held_out = as_rows(pd.DataFrame({"site": ["a", "b"], "place": ["x", "y"]}))
    frame = pd.DataFrame({"site": ["a"] * 12, "place": ["y"] * 11 + ["x"]})

    found = read_calibration(held_out, frame, None, as_rows)

    assert found is not None
    assert len(found.rows) == 11
