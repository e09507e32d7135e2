"""Windows go in, one or many, and class names and probabilities come out."""

import threading
from pathlib import Path

import numpy as np
import pytest

import edge_runtime
from edge_runtime.engine.row import BusyError, Row
from edge_runtime.errors import (
    EngineError,
    InputError,
)
from edge_runtime.model import Model
from tests.support.tiny_bundle import TinyModel, golden_windows, tiny_bundle

WINDOWS = golden_windows()
LABELS, PROBABILITIES = TinyModel()(WINDOWS)
NAMES = [("still", "moving")[label] for label in LABELS]


def test_predictions_are_class_names(model: Model) -> None:
    assert model.predict(WINDOWS).tolist() == NAMES
    assert model.classes == ("still", "moving")


def test_one_row_and_a_batch_agree(model: Model) -> None:
    assert [model.predict(WINDOWS[at : at + 1]).tolist() for at in range(6)] == [[n] for n in NAMES]
    one_by_one = [model.predict_proba(WINDOWS[at : at + 1]) for at in range(6)]
    assert np.array_equal(np.concatenate(one_by_one), model.predict_proba(WINDOWS))


def test_probabilities_are_float32_in_the_order_of_classes(model: Model) -> None:
    found = model.predict_proba(WINDOWS)

    assert found.dtype == np.float32
    assert found.shape == (6, 2)
    assert np.allclose(found, PROBABILITIES, atol=1e-6)


@pytest.mark.parametrize("count", [1, 6])
def test_infer_says_everything_in_one_run(model: Model, count: int) -> None:
    found = model.infer(WINDOWS[:count])

    assert found.labels is not None
    assert found.probabilities is not None
    assert found.labels.tolist() == NAMES[:count]
    assert np.allclose(found.probabilities, PROBABILITIES[:count], atol=1e-6)
    assert found.values is None


def test_an_empty_batch_has_an_empty_answer(model: Model) -> None:
    assert model.predict(WINDOWS[:0]).shape == (0,)
    assert model.predict(WINDOWS[:0]).dtype.kind == "U"
    assert model.predict_proba(WINDOWS[:0]).shape == (0, 2)
    assert model.predict_proba(WINDOWS[:0]).dtype == np.float32


def test_a_batch_larger_than_one_run_is_split_and_joined(model: Model) -> None:
    many = np.tile(WINDOWS, (500, 1, 1))

    assert model.predict(many).tolist() == NAMES * 500
    assert model.predict_proba(many).shape == (3000, 2)


def test_lists_and_other_dtypes_are_converted(model: Model) -> None:
    assert model.predict(WINDOWS.tolist()).tolist() == NAMES
    assert model.predict(WINDOWS[:1].astype(np.float64)).tolist() == NAMES[:1]
    assert model.predict(np.asfortranarray(WINDOWS[:1])).tolist() == NAMES[:1]
    assert model.predict(WINDOWS[:1].astype(">f4")).tolist() == NAMES[:1]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_and_the_next_row_is_served(
    model: Model, count: int, value: float
) -> None:
    broken = WINDOWS[:count].copy()
    broken[0, 3, 1] = value

    for ask in (model.predict, model.predict_proba, model.infer):
        with pytest.raises(InputError, match=r"windows\[0\], sample 3, channel 'y': expected finite"):
            ask(broken)
    assert model.predict(WINDOWS[:count]).tolist() == NAMES[:count]


def test_a_window_without_the_batch_axis_is_told_how_to_get_one(model: Model) -> None:
    with pytest.raises(
        InputError, match=r"expected shape \(n, 4, 2\), found \(4, 2\): add a batch axis"
    ):
        model.predict(WINDOWS[0])


def test_text_is_refused(model: Model) -> None:
    with pytest.raises(InputError, match="expected numbers"):
        model.predict(np.full((1, 4, 2), "1.0"))


def test_answers_do_not_change_with_the_next_call(model: Model) -> None:
    first, proba, both = (
        model.predict(WINDOWS[:1]),
        model.predict_proba(WINDOWS[:1]),
        model.infer(WINDOWS[:1]),
    )
    kept = proba.copy()
    model.infer(WINDOWS[5:])

    assert first.tolist() == NAMES[:1]
    assert np.array_equal(proba, kept)
    assert both.probabilities is not None
    assert np.array_equal(both.probabilities, kept)
    proba[0] = 7
    assert np.array_equal(model.predict_proba(WINDOWS[:1]), kept)


@pytest.mark.parametrize("count", [1, 6])
def test_class_names_are_read_only_of_one_row_and_of_many(model: Model, count: int) -> None:
    for names in (model.predict(WINDOWS[:count]), model.infer(WINDOWS[:count]).labels):
        with pytest.raises(ValueError, match="read-only"):
            names[0] = "moved"


def test_inputs_are_left_as_they_were(model: Model) -> None:
    windows = WINDOWS.copy()
    windows.setflags(write=False)
    model.predict(windows)
    model.predict(windows[:1])

    assert np.array_equal(windows, WINDOWS)


def test_several_threads_each_get_their_own_answers(model: Model) -> None:
    wrong: list[object] = []

    def ask(at: int) -> None:
        for _ in range(300):
            if (found := model.predict(WINDOWS[at : at + 1]).tolist()) != NAMES[at : at + 1]:
                wrong.append(found)
            if not np.allclose(model.infer(WINDOWS).probabilities, PROBABILITIES, atol=1e-6):
                wrong.append(at)

    threads = [threading.Thread(target=ask, args=(at,)) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_row_that_comes_while_another_is_run_goes_the_way_of_batches(model: Model) -> None:
    row, window = model._row, WINDOWS[:1]
    assert row is not None

    def meanwhile(_: Row) -> tuple[object, ...]:
        with pytest.raises(BusyError):
            row.ask(window, Row.main)
        found = model.infer(window)
        return model.predict(window).tolist(), found.labels.tolist(), model.predict_proba(window)

    labels, again, probabilities = row.ask(window, meanwhile)

    assert labels == again == NAMES[:1]
    assert np.allclose(probabilities, PROBABILITIES[:1], atol=1e-6)
    assert row.ask(window, Row.main).tolist() == NAMES[:1]  # free again


def test_a_row_that_is_refused_leaves_the_short_way_free(model: Model) -> None:
    with pytest.raises(InputError):
        model.predict(np.full_like(WINDOWS[:1], np.nan))

    assert model._row is not None
    assert model._row.ask(WINDOWS[:1], Row.main).tolist() == NAMES[:1]


@pytest.mark.parametrize("behaviour", ["fails", "starves"])
def test_a_run_that_fails_is_an_engine_error_and_no_crash(folder: Path, behaviour) -> None:
    (folder / "bad.edge").write_bytes(tiny_bundle(behaviour=behaviour))

    with edge_runtime.load(folder / "bad.edge", allow_unsigned=True) as loaded:
        for count in (1, 6):
            with pytest.raises(EngineError, match=r"tiny 1\.0\.0, .*: cannot be run by onnxruntime"):
                loaded.predict(WINDOWS[:count])
