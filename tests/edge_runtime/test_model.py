"""Load a bundle and predict, as the README says it."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import edge_runtime
from edge_runtime.bundle import open_bundle
from edge_runtime.engine.row import BusyError, Row
from edge_runtime.errors import (
    BundleError,
    ConfigError,
    EngineError,
    GoldenMismatchError,
    InputError,
    TrustError,
)
from edge_runtime.model import Model, from_bundle
from tests.support.graphs import LABELS as TWO_LABELS
from tests.support.graphs import (
    anomaly_windows,
    casting,
    counting_texts,
    doubling_regression,
    label_passing,
    passing,
    two_labels,
)
from tests.support.persons import PERSONS, persons_table, persons_value
from tests.support.tiny_bundle import OTHER_KEY, TinyModel, golden_windows, root_bytes, tiny_bundle
from tests.support.unpacked import payloads, unpack

WINDOWS = golden_windows()
LABELS, PROBABILITIES = TinyModel()(WINDOWS)
NAMES = [("still", "moving")[label] for label in LABELS]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """tiny.edge, the root file that trusts it, and another that does not."""
    (tmp_path / "tiny.edge").write_bytes(tiny_bundle())
    (tmp_path / "root.json").write_bytes(root_bytes())
    (tmp_path / "other.json").write_bytes(root_bytes(OTHER_KEY))
    return tmp_path


@pytest.fixture
def model(folder: Path) -> Iterator[Model]:
    with edge_runtime.load(folder / "tiny.edge", trust=folder / "root.json") as loaded:
        yield loaded


def test_a_start_imports_no_module_that_the_bundle_does_not_need(tmp_path: Path) -> None:
    """Each costs from a tenth of a millisecond to five, on every start and swap of a model."""
    slot = unpack(payloads(tiny_bundle()), tmp_path / "slot")
    np.save(tmp_path / "row.npy", WINDOWS[:1])
    script = f"""
import sys, numpy as np, onnxruntime, msgspec, hashlib
there = set(sys.modules)
import edge_runtime
edge_runtime.load({str(slot)!r}, allow_unsigned=True).predict(np.load({str(tmp_path / "row.npy")!r}))
print(*sorted({{name.split(".")[0] for name in set(sys.modules) - there}}))
print(*sorted(name for name in sys.modules if name.startswith("edge_runtime.engine.")))
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    command = [sys.executable, "-c", script]

    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)

    others, engine = shown.stdout.splitlines()
    assert set(others.split()) <= {"edge_runtime", "errno", "threading", "unicodedata", "zlib"}
    for unused in ("golden", "several", "table", "tensorrt", "texts"):
        assert f"edge_runtime.engine.{unused}" not in engine.split()


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


def test_goldens_are_replayed(model: Model) -> None:
    result = model.replay_goldens()

    assert (result.count, result.label_disagreements) == (6, 0)
    assert result.max_abs_error < 1e-6


def test_other_outputs_than_the_golden_ones_are_an_error(folder: Path) -> None:
    (folder / "wrong.edge").write_bytes(tiny_bundle(behaviour="wrong_goldens"))

    with (
        edge_runtime.load(folder / "wrong.edge", allow_unsigned=True) as loaded,
        pytest.raises(GoldenMismatchError, match="found 6 other labels and a largest error of 0"),
    ):
        loaded.replay_goldens()


@pytest.mark.parametrize("behaviour", ["fails", "starves"])
def test_a_run_that_fails_is_an_engine_error_and_no_crash(folder: Path, behaviour) -> None:
    (folder / "bad.edge").write_bytes(tiny_bundle(behaviour=behaviour))

    with edge_runtime.load(folder / "bad.edge", allow_unsigned=True) as loaded:
        for count in (1, 6):
            with pytest.raises(EngineError, match=r"tiny 1\.0\.0, .*: cannot be run by onnxruntime"):
                loaded.predict(WINDOWS[:count])


def test_what_is_no_model_is_not_loaded(folder: Path) -> None:
    (folder / "bad.edge").write_bytes(tiny_bundle(behaviour="not_onnx"))

    with pytest.raises(EngineError, match="expected an ONNX file"):
        edge_runtime.load(folder / "bad.edge", allow_unsigned=True)


def test_without_trust_it_refuses_and_shows_both_ways(folder: Path) -> None:
    with pytest.raises(TrustError, match=r"trust='root\.json', or allow_unsigned=True"):
        edge_runtime.load(folder / "tiny.edge")


def test_another_signers_bundle_is_refused(folder: Path) -> None:
    with pytest.raises(TrustError, match=r"tiny\.edge"):
        edge_runtime.load(folder / "tiny.edge", trust=folder / "other.json")


def test_an_unsigned_bundle_loads_only_when_allowed(folder: Path) -> None:
    (folder / "unsigned.edge").write_bytes(tiny_bundle(key=None))

    with pytest.raises(TrustError):
        edge_runtime.load(folder / "unsigned.edge", trust=folder / "root.json")
    with edge_runtime.load(folder / "unsigned.edge", allow_unsigned=True) as loaded:
        assert loaded.predict(WINDOWS[:1]).tolist() == NAMES[:1]


def test_a_bundle_that_is_not_there_is_a_bundle_error(folder: Path) -> None:
    with pytest.raises(BundleError, match="cannot be read"):
        edge_runtime.load(folder / "none.edge", allow_unsigned=True)


def test_an_unpacked_bundle_loads_from_its_folder(folder: Path) -> None:
    unpacked = unpack(payloads(tiny_bundle()), folder / "slot")

    with edge_runtime.load(unpacked, trust=folder / "root.json") as loaded:
        assert loaded.predict(WINDOWS).tolist() == NAMES
        assert loaded.replay_goldens().count == 6


def test_an_altered_model_is_not_loaded(folder: Path) -> None:
    unpacked = unpack(payloads(tiny_bundle()), folder / "slot")
    file = unpacked / "variants" / "fp32" / "model.onnx"
    altered = bytearray(file.read_bytes())
    altered[-1] ^= 1
    file.chmod(0o644)
    file.write_bytes(altered)

    with pytest.raises(BundleError, match=r"model\.onnx: expected SHA-256"):
        edge_runtime.load(unpacked, trust=folder / "root.json")


def test_after_close_every_use_is_an_error(folder: Path) -> None:
    model = edge_runtime.load(folder / "tiny.edge", allow_unsigned=True)
    model.close()
    model.close()

    for windows in (WINDOWS, WINDOWS[:1]):
        for ask in (model.predict, model.predict_proba, model.infer):
            with pytest.raises(EngineError, match="the model was closed"):
                ask(windows)


def test_a_model_of_a_callers_bundle_leaves_it_open(folder: Path) -> None:
    with open_bundle(folder / "tiny.edge", root=None, allow_unsigned=True) as bundle:
        with from_bundle(bundle) as model:
            assert model.digest == bundle.digest
        assert bundle.read("card.md")


@pytest.mark.parametrize(("columns", "shape"), [(1, (3,)), (2, (3, 2))])
def test_a_regression_gives_values_shaped_as_scikit_learns(
    tmp_path: Path, columns: int, shape: tuple[int, ...]
) -> None:
    rows = np.arange(3 * columns, dtype=np.float32).reshape(3, columns)

    path = doubling_regression(tmp_path / "double.edge", columns=columns)
    with edge_runtime.load(path, allow_unsigned=True) as model:
        assert model.predict(rows).shape == shape
        assert np.array_equal(model.predict(rows), (2 * rows).reshape(shape))
        assert np.array_equal(model.predict(rows[1:2]), (2 * rows[1:2]).reshape(1, *shape[1:]))
        assert model.infer(rows).labels is None
        assert model.classes == ()
        assert model.replay_goldens().max_abs_error == 0
        with pytest.raises(EngineError, match="this regression model has no probabilities; use predict"):
            model.predict_proba(rows)


def test_missing_values_pass_where_the_manifest_says_so(tmp_path: Path) -> None:
    path = doubling_regression(tmp_path / "double.edge", allow_nan=True)
    rows = np.array([[np.nan, 1]], np.float32)

    with edge_runtime.load(path, allow_unsigned=True) as model:
        assert np.isnan(model.predict(rows)).tolist() == [[True, False]]
        with pytest.raises(InputError, match="found inf"):
            model.predict([[np.inf, 1]])


def test_a_classifier_without_probabilities_says_so(tmp_path: Path) -> None:
    with edge_runtime.load(label_passing(tmp_path / "pass.edge"), allow_unsigned=True) as model:
        assert model.predict([2, 0]).tolist() == ["c", "a"]
        assert model.infer([2, 0]).probabilities is None
        with pytest.raises(EngineError, match="this classification model has no probabilities"):
            model.predict_proba([2, 0])


@pytest.mark.parametrize("rows", [[3], [-1], [0, -1, 2]])
def test_a_label_that_is_no_class_is_an_error(tmp_path: Path, rows: list[int]) -> None:
    with (
        edge_runtime.load(label_passing(tmp_path / "pass.edge"), allow_unsigned=True) as model,
        pytest.raises(EngineError, match="expected an index below 3"),
    ):
        model.predict(rows)


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


def test_several_labels_are_named_and_their_probabilities_have_an_axis(tmp_path: Path) -> None:
    with edge_runtime.load(two_labels(tmp_path / "two.edge"), allow_unsigned=True) as model:
        rows = np.array([[0, 2], [1, 1]], np.float32)
        expected = [["red", "L"], ["blue", "M"]]

        assert (model.classes, model.labels) == ((), TWO_LABELS)
        assert model.predict(rows).tolist() == expected
        assert [model.predict(rows[at : at + 1]).tolist() for at in (0, 1)] == [
            [row] for row in expected
        ]
        assert model.predict_proba(rows).tolist() == [[[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 1, 0]]]
        assert model.predict(rows[:0]).shape == (0, 2)
        assert model.predict_proba(rows[:0]).shape == (0, 2, 3)
        assert model.replay_goldens().label_disagreements == 0
        with pytest.raises(EngineError, match="label 'size': expected an index below 3"):
            model.predict([[0, 3]])


@pytest.mark.parametrize("count", [1, 2])
def test_an_anomaly_model_gives_labels_and_a_score(tmp_path: Path, count: int) -> None:
    windows = np.zeros((2, 4, 2), np.float32) + np.float32([[[2]], [[1]]])

    with edge_runtime.load(anomaly_windows(tmp_path / "anomaly.edge"), allow_unsigned=True) as model:
        found = model.infer(windows[:count])

        assert found.labels is not None
        assert found.labels.tolist() == ["anomaly", "normal"][:count]
        assert found.values is not None
        assert found.values.tolist() == [-1, 0][:count]
        assert model.predict(windows).tolist() == ["anomaly", "normal"]
        assert model.replay_goldens().count == 2
        with pytest.raises(EngineError, match="this anomaly model has no probabilities"):
            model.predict_proba(windows)


def test_a_clustering_names_its_clusters(tmp_path: Path) -> None:
    path = passing(
        tmp_path / "clusters.edge", {"label": np.array([0, 1])}, task="clustering", classes=("0", "1")
    )
    with edge_runtime.load(path, allow_unsigned=True) as model:
        assert model.predict([1, 1, 0]).tolist() == ["1", "1", "0"]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_a_transformation_passes_arrays_of_every_dtype_by_row_and_by_batch(
    tmp_path: Path, dtype: str
) -> None:
    path = casting(tmp_path / "cast.edge", dtype)
    rows = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)

    with edge_runtime.load(path, allow_unsigned=True) as model:
        assert model.predict(rows).tolist() == rows.tolist()
        assert model.predict(rows[:1]).tolist() == rows[:1].tolist()
        assert model.predict(rows[:1]).dtype == np.float64
        assert model.infer(rows[:1]).labels is None
        assert model.replay_goldens().count == 1


def test_numbers_beyond_float32_are_the_same_by_row_and_by_batch(tmp_path: Path) -> None:
    for dtype, value in (("float64", 1e300), ("float64", 1 + 2**-52), ("int64", 2**53)):
        with edge_runtime.load(casting(tmp_path / "cast.edge", dtype), allow_unsigned=True) as model:
            row = np.full((1, 3), value, dtype)
            assert model.predict(row).tolist() == [[value] * 3]
            assert model.predict(row.repeat(2, axis=0)).tolist() == [[value] * 3] * 2


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


def test_what_a_variant_requires_is_demanded_and_its_boards_are_where_the_board_is_told(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tiny.edge"
    path.write_bytes(tiny_bundle(requires={"onnxruntime": ">=99"}))
    with pytest.raises(EngineError, match="fp32 needs onnxruntime >=99, found"):
        edge_runtime.load(path, allow_unsigned=True)

    path.write_bytes(tiny_bundle(boards=("pi5",)))
    with pytest.raises(EngineError, match=r"fp32 is made for pi5 \(this is pi4\)"):
        edge_runtime.load(path, allow_unsigned=True, board="pi4")
    with pytest.raises(ConfigError, match=r"board: expected one of .*; found 'raspi'"):
        edge_runtime.load(path, allow_unsigned=True, board="raspi")
    for board in ("", "pi5"):
        with edge_runtime.load(path, allow_unsigned=True, board=board) as model:
            assert model.predict(WINDOWS).tolist() == NAMES
