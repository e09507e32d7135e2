"""Tables and texts go in by the names of their columns."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import edge_runtime
from edge_runtime.errors import (
    InputError,
)
from edge_runtime.model import Model
from tests.support.graphs import (
    counting_texts,
)
from tests.support.persons import PERSONS, persons_table, persons_value


@pytest.fixture
def persons(tmp_path: Path) -> Iterator[Model]:
    with edge_runtime.load(persons_table(tmp_path / "persons.edge"), allow_unsigned=True) as loaded:
        yield loaded


def test_a_table_goes_in_by_the_names_of_its_columns(persons: Model) -> None:
    records = [dict(zip(PERSONS, row, strict=True)) for row in zip(*PERSONS.values(), strict=True)]
    expected = persons_value(PERSONS)

    for table in (PERSONS, dict(reversed(PERSONS.items())), PERSONS | {"more": [1, 2, 3]}, records):
        np.testing.assert_array_equal(persons.predict(table), expected)
    for at in range(3):
        np.testing.assert_array_equal(persons.predict(records[at : at + 1]), expected[at : at + 1])
    assert persons.manifest.is_table
    assert persons.infer(PERSONS).labels is None


@pytest.mark.parametrize("rows", [0, 1, 1024, 1025, 3000])
def test_a_table_of_any_length_is_split_and_joined(persons: Model, rows: int) -> None:
    table = {name: np.resize(column, rows) for name, column in PERSONS.items()}

    assert persons.predict(table).dtype == np.float64
    np.testing.assert_array_equal(persons.predict(table), persons_value(table))


def test_a_table_without_a_column_says_which(persons: Model) -> None:
    table = {name: column for name, column in PERSONS.items() if name != "home town"}

    with pytest.raises(
        InputError, match=r"expected the columns 'age', .* found .*: 'home town' missing"
    ):
        persons.predict(table)
    with pytest.raises(InputError, match=r"expected a mapping .* found ndarray of shape \(3, 4\)"):
        persons.predict(np.ones((3, 4)))


def test_a_missing_text_is_refused_where_the_manifest_knows_none(tmp_path: Path) -> None:
    path = persons_table(tmp_path / "persons.edge", allow_nan=False)
    with edge_runtime.load(path, allow_unsigned=True) as model:
        with pytest.raises(InputError, match=r"column 'age', row 1: expected finite numbers, found nan"):
            model.predict(PERSONS)
        with pytest.raises(InputError, match=r"column 'home town', row 2: .* a missing value \(None\)"):
            model.predict(PERSONS | {"age": [1, 2, 3]})
        assert model.replay_goldens().count == 1


def test_the_goldens_of_a_table_are_replayed(persons: Model) -> None:
    assert persons.replay_goldens().max_abs_error == 0
    assert persons.replay_goldens().count == 3


def test_an_array_of_texts_goes_in_by_batch(tmp_path: Path) -> None:
    with edge_runtime.load(counting_texts(tmp_path / "texts.edge"), allow_unsigned=True) as model:
        assert model.predict([["a", None], ["b", "c"]]).tolist() == [[1, 2], [9, 9]]
        assert model.predict(np.array([["a", "b"]])).tolist() == [[1, 9]]
        assert model.predict(np.empty((0, 2), np.str_)).shape == (0, 2)
        assert model.replay_goldens().count == 2
        with pytest.raises(
            InputError, match=r"texts\[0, 1\]: expected a text or None, found 3 of type int"
        ):
            model.predict([["a", 3]])
