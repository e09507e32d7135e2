"""Several arrays by name become batches of one length, or one sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_runtime
from edge_runtime.engine.bench import answered, measure_batches, measure_rows, rotating_rows
from edge_runtime.engine.golden import read_golden_inputs
from edge_runtime.engine.row import NamedRow
from edge_runtime.engine.several import SeveralCheck
from edge_runtime.errors import EngineError, InputError
from edge_runtime.model import Model
from tests.support.several import FACTORS, GIVEN, GRID, POINTS, said, several, taken

CHECK = SeveralCheck([POINTS, FACTORS])


@pytest.fixture
def model(tmp_path: Path) -> Any:
    with edge_runtime.load(several(tmp_path / "m.edge"), allow_unsigned=True) as loaded:
        yield loaded


def test_arrays_are_found_by_name_in_any_order() -> None:
    given = {"factors": [[1, 2]], "points": [[1, 2, 3]]}
    found = CHECK.feed(given)

    assert list(found) == ["points", "factors"]
    assert found["points"].dtype == np.float32
    assert found["factors"].dtype == np.int64
    assert found["points"].tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda given: given.pop("factors"),
            r"inputs: expected arrays named 'points', 'factors', found 'points': 'factors' missing",
        ),
        (lambda given: given.update(more=[1]), r"found 'points', 'factors', 'more': 'more' unknown"),
        (
            lambda given: given.update(points=GIVEN["points"][0]),
            r"input 'points': expected shape \(n, 3\), found \(3,\): add a batch axis",
        ),
        (
            lambda given: given.update(factors=GIVEN["factors"] / 2),
            r"input 'factors': expected whole numbers \(int64\), found dtype float64",
        ),
        (
            lambda given: given.update(factors=GIVEN["factors"][:3]),
            r"input 'factors': expected 4 rows as of input 'points', found 3",
        ),
        (
            lambda given: given.update(points=np.where(GIVEN["points"] == 1, np.nan, GIVEN["points"])),
            r"input 'points', row 2, at \[2\]: expected finite numbers, found nan",
        ),
        (
            lambda given: given.update(points=[["a"] * 3] * 4),
            r"input 'points': expected numbers \(float32\), found text",
        ),
    ],
)
def test_what_does_not_fit_is_one_sentence(change: Callable[[dict[str, Any]], Any], told: str) -> None:
    given: dict[str, Any] = dict(GIVEN)
    change(given)

    with pytest.raises(InputError, match=told) as raised:
        CHECK.feed(given)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("given", [np.zeros((4, 3)), [GIVEN["points"], GIVEN["factors"]]])
def test_what_is_no_mapping_is_told_the_names(given: Any) -> None:
    with pytest.raises(InputError, match=r"a mapping of the names 'points', 'factors' to arrays, found"):
        CHECK.feed(given)


def test_all_answers_come_by_name_from_a_batch_and_from_a_row(model: Model) -> None:
    batch = model.predict(GIVEN)
    rows = [model.predict(taken(slice(at, at + 1))) for at in range(4)]

    for name, expected in said(GIVEN).items():
        assert np.array_equal(batch[name], expected)
        assert np.array_equal(np.concatenate([row[name] for row in rows]), expected)


def test_a_row_goes_by_bound_buffers_and_is_the_callers(model: Model) -> None:
    assert isinstance(model._row, NamedRow)
    assert model._row.fits(taken(slice(1)))
    first = model.predict(taken(slice(0, 1)))
    before = first["grid"].copy()
    model.predict(taken(slice(1, 2)))

    assert np.array_equal(first["grid"], before)


@pytest.mark.parametrize(
    "given",
    [
        taken(slice(2)),
        {"points": GIVEN["points"][:1]},
        {**taken(slice(1)), "more": np.zeros(1)},
        {**taken(slice(1)), "factors": np.zeros((1, 2), np.int32)},
        {**taken(slice(1)), "factors": [[1, 2]]},
        GIVEN["points"][:1],
    ],
)
def test_anything_else_takes_the_way_of_a_batch(model: Model, given: Any) -> None:
    assert model._row is not None
    assert not model._row.fits(given)


def test_a_row_is_checked_too(model: Model) -> None:
    given = {**taken(slice(1)), "points": np.array([[0, np.inf, 1]], np.float32)}

    with pytest.raises(InputError, match=r"input 'points', row 0, at \[1\]: expected finite numbers"):
        model.predict(given)


def test_an_inference_has_them_by_name_and_nothing_else(model: Model) -> None:
    for given in (GIVEN, taken(slice(1))):
        found = model.infer(given)
        assert found.by_name is not None
        assert list(found.by_name) == ["total", "grid"]
        assert found.labels is found.probabilities is found.values is None


def test_there_are_no_probabilities(model: Model) -> None:
    with pytest.raises(EngineError, match="this regression model has no probabilities; use predict"):
        model.predict_proba(GIVEN)


def test_of_one_output_the_answer_is_its_array(tmp_path: Path) -> None:
    path = several(tmp_path / "grid.edge", outputs=(GRID,))
    with edge_runtime.load(path, allow_unsigned=True) as model:
        found = model.infer(GIVEN)
        assert found.by_name is None
        assert found.values is not None
        assert np.array_equal(found.values, said(GIVEN)["grid"])
        assert np.array_equal(model.predict(taken(slice(1))), said(GIVEN)["grid"][:1])


def test_no_rows_have_empty_answers(model: Model) -> None:
    assert {name: array.shape for name, array in model.predict(taken(slice(0))).items()} == {
        "total": (0,),
        "grid": (0, 3, 2),
    }


def test_many_rows_are_run_in_parts(model: Model) -> None:
    many = {name: np.tile(array, (300, 1)) for name, array in GIVEN.items()}

    assert np.array_equal(model.predict(many)["total"], said(many)["total"])


def test_goldens_are_replayed_and_rows_rotate_through_them(model: Model) -> None:
    assert model.replay_goldens().max_abs_error == 0
    golden = read_golden_inputs(model.bundle)
    rows = rotating_rows(golden)

    assert len(rows) == 4 + 512
    assert model._row is not None
    assert all(model._row.fits(row) for row in rows)
    assert len(answered(model.predict, rows)) == len(rows)
    assert measure_rows(model.predict, rows, 0.01).p50_us > 0
    assert measure_batches(model.predict, rows, 0.01) > 0
