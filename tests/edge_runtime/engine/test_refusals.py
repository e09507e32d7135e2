"""A row that the source model raises an error for is an InputError, whichever way it is asked."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import edge_runtime
from edge_runtime.engine.refusals import Refusals
from edge_runtime.errors import EngineError, GoldenMismatchError, InputError
from edge_runtime.model import Model
from tests.support.graphs import passing
from tests.support.refusing import REFUSALS, refusing_table, refusing_windows
from tests.support.tiny_bundle import golden_windows, tiny_manifest

WINDOWS = golden_windows()
ASK: list[Callable[[Model], Callable[[Any], object]]] = [
    lambda model: model.predict,
    lambda model: model.predict_proba,
    lambda model: model.infer,
]


def load(path: Path) -> Model:
    return edge_runtime.load(path, allow_unsigned=True)


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[Model]:
    with load(refusing_windows(tmp_path / "tiny.edge")) as model:
        yield model


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Model]:
    with load(refusing_table(tmp_path / "table.edge")) as model:
        yield model


def with_value(value: float, count: int, *rows: int) -> np.ndarray:
    """Windows of which these rows hold the value."""
    made = np.resize(WINDOWS, (count, 4, 2))
    made[list(rows), 1, 0] = value
    return made


@pytest.mark.parametrize("ask", ASK)
def test_a_refused_window_is_told_by_place_and_reason_and_the_next_is_answered(
    windows: Model, ask: Callable[[Model], Callable[[Any], object]]
) -> None:
    why = (
        r"^windows\[{}\]: a value above 100{}\. "
        r"The model was not trained for it: correct the input, or train with it\.$"
    )

    with pytest.raises(InputError, match=why.format(0, "")):
        ask(windows)(with_value(101, 1, 0))
    assert ask(windows)(WINDOWS[:1]) is not None
    with pytest.raises(InputError, match=why.format(3, r" \(and 2 more\)")):
        ask(windows)(with_value(101, 6, 3, 4, 5))
    assert ask(windows)(WINDOWS) is not None


def test_a_row_that_needs_converting_is_refused_too(windows: Model) -> None:
    with pytest.raises(InputError, match="a value above 100"):
        windows.predict(with_value(101, 1, 0).tolist())


def test_rows_are_counted_through_the_runs_of_a_large_batch(windows: Model) -> None:
    with pytest.raises(InputError, match=r"^windows\[1500\]: .* \(and 1 more\)\."):
        windows.predict(with_value(101, 3000, 1500, 2999))


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("ask", ASK)
def test_a_number_without_a_reason_is_a_broken_model(
    windows: Model, ask: Callable[[Model], Callable[[Any], object]], count: int
) -> None:
    with pytest.raises(EngineError, match=r"refused: expected 0 to 1, .* found one of \[9\]\. The "):
        ask(windows)(with_value(1001, count, count - 1))


@pytest.mark.parametrize("ask", ["predict", "infer"])
def test_a_refused_row_of_a_table_is_told_with_its_own_reason(table: Model, ask: str) -> None:
    rows = {"value_in": np.arange(5.0), "refused_in": np.array([0, 0, 0, 2, 1])}

    with pytest.raises(InputError, match=rf"^row 3: {REFUSALS[1]} \(and 1 more\)\."):
        getattr(table, ask)(rows)
    rows["refused_in"][3] = 0
    with pytest.raises(InputError, match=rf"^row 4: {REFUSALS[0]}\. The model was not trained"):
        getattr(table, ask)(rows)
    rows["refused_in"][4] = 0
    assert table.predict(rows).tolist() == [0, 1, 2, 3, 4]
    assert table.predict({name: column[:0] for name, column in rows.items()}).shape == (0,)


def test_what_is_answered_says_no_more_than_that_of_other_models(table: Model) -> None:
    found = table.infer({"value_in": np.array([7.5]), "refused_in": np.array([0])})

    assert found.__struct_fields__ == ("labels", "probabilities", "values", "by_name")
    assert found.values is not None
    assert found.values.tolist() == [7.5]


@pytest.mark.parametrize("code", [3, -1, -(2**63), 2**63 - 1])
def test_a_broken_number_beside_a_good_one_is_an_error_of_the_model(code: int, table: Model) -> None:
    rows = {"value_in": np.zeros(2), "refused_in": np.array([1, code])}

    with pytest.raises(EngineError, match=rf"expected 0 to 2, .* found one of \[{code}\]"):
        table.predict(rows)


def test_a_label_is_not_read_where_the_row_is_refused(tmp_path: Path) -> None:
    outputs = {"label": np.array([0, 1]), "refused": np.zeros(2, np.int64)}
    path = passing(
        tmp_path / "a.edge", outputs, task="classification", classes=("a", "b"), refusals=("why",)
    )
    with load(path) as model, pytest.raises(InputError, match=r"^row 0: why"):
        model.predict({"label_in": np.array([99]), "refused_in": np.array([1])})


def test_goldens_are_never_refused(tmp_path: Path, table: Model, windows: Model) -> None:
    assert table.replay_goldens().label_disagreements == 0
    assert windows.replay_goldens().label_disagreements == 0
    with (
        load(refusing_table(tmp_path / "refused.edge", golden=1)) as model,
        pytest.raises(GoldenMismatchError, match="found 1 other labels or refused rows and"),
    ):
        model.replay_goldens()


def test_a_row_that_stays_in_its_buffers_is_looked_at_in_every_call() -> None:
    manifest = tiny_manifest("tiny", "1.0.0", 1, model_size=1, golden_count=1)
    outputs = [np.array([5.0]), np.array([0])]
    refusing = msgspec.structs.replace(manifest, refusals=("why",))
    read = Refusals(refusing, at=1).before(outputs[0].copy, outputs)

    assert read().tolist() == [5.0]
    outputs[1][0] = 1
    with pytest.raises(InputError, match="why"):
        read()
    outputs[1][0] = 0
    assert read().tolist() == [5.0]
