"""Goldens: equal labels, errors within an absolute tolerance, and broken files told apart."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from edge_runtime.bundle import Bundle, open_bundle, seal
from edge_runtime.bundle.manifest import Input, Output
from edge_runtime.engine.golden import GoldenResult, compare, read_golden_inputs, replay, rows_of
from edge_runtime.errors import BundleError, GoldenMismatchError
from tests.support.persons import PERSONS, persons_table, persons_value
from tests.support.tiny_bundle import (
    MODEL_FILE,
    TinyModel,
    golden_windows,
    npy,
    tiny_bundle,
    tiny_manifest,
)

MANIFEST = tiny_manifest("tiny", "1.0.0", 1, model_size=1, golden_count=6)
LABELS, PROBABILITIES = TinyModel()(golden_windows())


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Bundle]:
    path = tmp_path / "tiny.edge"
    path.write_bytes(tiny_bundle())
    with open_bundle(path, root=None, allow_unsigned=True) as bundle:
        yield bundle


def test_equal_outputs_have_no_error() -> None:
    found = compare(MANIFEST, [LABELS, PROBABILITIES], [LABELS, PROBABILITIES])

    assert found == GoldenResult(6, 0.0, 0)


def test_labels_are_counted_and_the_largest_error_is_found() -> None:
    labels, probabilities = LABELS.copy(), PROBABILITIES.copy()
    labels[:2] = 1 - labels[:2]
    probabilities[3, 1] -= 0.25

    found = compare(MANIFEST, [LABELS, PROBABILITIES], [labels, probabilities])

    assert found.label_disagreements == 2
    assert found.max_abs_error == pytest.approx(0.25)


def test_a_refused_row_on_either_side_is_a_disagreement() -> None:
    refused = Output(name="refused", dtype="int64", shape=(None,), meaning="refused")
    manifest = msgspec.structs.replace(MANIFEST, outputs=(refused,), refusals=("why",))
    none, some = np.zeros(6, np.int64), np.array([0, 1, 0, 0, 1, 0])

    assert compare(manifest, [none], [none]) == GoldenResult(6, 0.0, 0)
    for expected, found in ((none, some), (some, none), (some, some)):
        assert compare(manifest, [expected], [found]) == GoldenResult(6, 0.0, 2)


def test_a_nan_on_one_side_is_an_infinite_error_and_on_both_none() -> None:
    broken = PROBABILITIES.copy()
    broken[0, 0] = np.nan

    assert compare(MANIFEST, [LABELS, PROBABILITIES], [LABELS, broken]).max_abs_error > 1e300
    assert compare(MANIFEST, [LABELS, broken], [LABELS, PROBABILITIES]).max_abs_error > 1e300
    assert compare(MANIFEST, [LABELS, broken], [LABELS, broken]).max_abs_error == 0


def test_the_inputs_run_as_a_batch_and_one_by_one(tiny: Bundle) -> None:
    seen = []

    def run(batch: np.ndarray) -> tuple[np.ndarray, ...]:
        seen.append(len(batch))
        return TinyModel()(batch)

    assert replay(tiny, tiny.manifest.variants[0], run, run) == GoldenResult(6, 0.0, 0)
    assert seen == [1, 1, 1, 1, 1, 1, 6]


@pytest.mark.parametrize("wrong", ["batch", "row"])
def test_either_way_alone_can_fail(tiny: Bundle, wrong: str) -> None:
    def broken(batch: np.ndarray) -> tuple[np.ndarray, ...]:
        labels, probabilities = TinyModel()(batch)
        return labels, probabilities + np.float32(2e-5)

    runs = (broken, TinyModel()) if wrong == "batch" else (TinyModel(), broken)
    with pytest.raises(GoldenMismatchError, match=r"found 0 other labels.*2e-05 \(allowed: 1e-05\)"):
        replay(tiny, tiny.manifest.variants[0], *runs)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"text", "expected a numpy .npy file"),
        (
            npy(golden_windows()[:5]),
            r"expected numbers of shape \(6, 4, 2\), found float32 of shape \(5",
        ),
        (npy(golden_windows().astype(str)), "found <U"),
    ],
)
def test_golden_files_that_do_not_fit_the_manifest_are_a_broken_bundle(
    tmp_path: Path, content: bytes, told: str
) -> None:
    artifacts = {
        MODEL_FILE: b"model",
        "golden/inputs/0.npy": content,
        "golden/outputs/0.npy": npy(LABELS),
        "golden/outputs/1.npy": npy(PROBABILITIES),
    }
    path = tmp_path / "broken.edge"
    path.write_bytes(seal(msgspec.structs.replace(MANIFEST), artifacts, []))

    with (
        open_bundle(path, root=None, allow_unsigned=True) as bundle,
        pytest.raises(BundleError, match=told),
    ):
        read_golden_inputs(bundle)


def test_the_goldens_of_a_table_are_its_columns_and_a_missing_text_is_none(tmp_path: Path) -> None:
    path = persons_table(tmp_path / "persons.edge")
    with open_bundle(path, root=None, allow_unsigned=True) as bundle:
        found = read_golden_inputs(bundle)

        assert isinstance(found, dict)
        assert list(found) == list(PERSONS)
        for name, column in found.items():
            np.testing.assert_array_equal(column, PERSONS[name])
            assert column.dtype == PERSONS[name].dtype
        assert (
            replay(
                bundle,
                bundle.manifest.variants[0],
                lambda t: [persons_value(t)],
                lambda t: [persons_value(t)],
            ).count
            == 3
        )


def test_a_table_runs_as_a_batch_and_one_by_one(tmp_path: Path) -> None:
    seen = []

    def run(table: dict[str, np.ndarray]) -> list[np.ndarray]:
        seen.append({len(column) for column in table.values()})
        return [persons_value(table)]

    path = persons_table(tmp_path / "persons.edge")
    with open_bundle(path, root=None, allow_unsigned=True) as bundle:
        replay(bundle, bundle.manifest.variants[0], run, run)

    assert seen == [{1}, {1}, {1}, {3}]


def test_rows_are_batches_of_one() -> None:
    assert [row.tolist() for row in rows_of(np.array([[1], [2]]))] == [[[1]], [[2]]]
    assert rows_of({"a": np.array([1, 2]), "b": np.array(["x", None], np.object_)}) == [
        {"a": [1], "b": ["x"]},
        {"a": [2], "b": [None]},
    ]


def shared_goldens(path: Path, numbers: npt.NDArray[Any], texts: npt.NDArray[Any]) -> Path:
    """A bundle of 300 columns of numbers and 2 of texts that take turns, in two golden files."""
    declared = [Input(name=f"c{at}", dtype="float64", shape=(None,)) for at in range(300)]
    for at, place in enumerate((1, 200)):
        declared.insert(place, Input(name=f"t{at}", dtype="string", shape=(None,), allow_nan=True))
    files = {"float64": "golden/inputs/numbers.npy", "string": "golden/inputs/texts.npy"}
    names = tuple(files[each.dtype] for each in declared)
    manifest = msgspec.structs.replace(
        MANIFEST,
        inputs=tuple(declared),
        window=None,
        golden=msgspec.structs.replace(MANIFEST.golden, inputs=names),
    )
    artifacts = {
        MODEL_FILE: b"model",
        files["float64"]: npy(numbers),
        files["string"]: npy(texts),
        "golden/outputs/0.npy": npy(LABELS),
        "golden/outputs/1.npy": npy(PROBABILITIES),
    }
    path.write_bytes(seal(manifest, artifacts, []))
    return path


def test_columns_of_one_dtype_may_share_a_golden_file(tmp_path: Path) -> None:
    numbers = np.arange(1800.0).reshape(6, 300)
    texts = np.array([[f"a{row}", "\uffff"] for row in range(6)])
    path = shared_goldens(tmp_path / "wide.edge", numbers, texts)
    with open_bundle(path, root=None, allow_unsigned=True) as bundle:
        found = read_golden_inputs(bundle)

        assert isinstance(found, dict)
        assert list(found) == [each.name for each in bundle.manifest.inputs]
    assert [*found][:3] == ["c0", "t0", "c1"]
    assert np.stack([found[f"c{at}"] for at in range(300)], axis=1).tolist() == numbers.tolist()
    assert found["t0"].tolist() == [f"a{row}" for row in range(6)]
    assert found["t1"].tolist() == [None] * 6


def test_a_shared_golden_file_has_a_column_for_each(tmp_path: Path) -> None:
    path = shared_goldens(tmp_path / "wide.edge", np.ones((6, 299)), np.full((6, 2), "a"))
    with (
        open_bundle(path, root=None, allow_unsigned=True) as bundle,
        pytest.raises(BundleError, match=r"numbers\.npy: expected numbers of shape \(6, 300\), found"),
    ):
        read_golden_inputs(bundle)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (npy(np.zeros(3)), r"expected texts of shape \(3,\), found float64"),
        (npy(np.array(["a", "b"])), r"expected texts of shape \(3,\), found <U1 of shape \(2,\)"),
        (npy(np.array([b"a", b"b", b"c"])), r"expected texts .* found \|S1"),
    ],
)
def test_goldens_of_texts_are_texts(tmp_path: Path, content: bytes, told: str) -> None:
    path = persons_table(tmp_path / "persons.edge")
    with open_bundle(path, root=None, allow_unsigned=True) as bundle:
        artifacts = {name: bundle.read(name) for name in bundle.manifest.files}
        manifest = msgspec.structs.replace(bundle.manifest, files={})
    path.write_bytes(seal(manifest, artifacts | {"golden/inputs/3.npy": content}, []))

    with (
        open_bundle(path, root=None, allow_unsigned=True) as bundle,
        pytest.raises(BundleError, match=told),
    ):
        read_golden_inputs(bundle)
