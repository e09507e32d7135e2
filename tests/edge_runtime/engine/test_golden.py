"""Goldens: equal labels, errors within an absolute tolerance, and broken files told apart."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_runtime.bundle import Bundle, open_bundle, seal
from edge_runtime.engine.golden import GoldenResult, compare, read_golden_inputs, replay
from edge_runtime.errors import BundleError, GoldenMismatchError
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

    assert replay(tiny, run, run) == GoldenResult(6, 0.0, 0)
    assert seen == [1, 1, 1, 1, 1, 1, 6]


@pytest.mark.parametrize("wrong", ["batch", "row"])
def test_either_way_alone_can_fail(tiny: Bundle, wrong: str) -> None:
    def broken(batch: np.ndarray) -> tuple[np.ndarray, ...]:
        labels, probabilities = TinyModel()(batch)
        return labels, probabilities + np.float32(2e-5)

    runs = (broken, TinyModel()) if wrong == "batch" else (TinyModel(), broken)
    with pytest.raises(GoldenMismatchError, match=r"found 0 other labels.*2e-05 \(allowed: 1e-05\)"):
        replay(tiny, *runs)


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
