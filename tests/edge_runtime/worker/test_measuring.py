"""What measuring itself takes: the rows are no part of the memory of a model, nor of its limit."""

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_runtime.bundle import seal
from edge_runtime.engine.candidate import Candidate
from edge_runtime.errors import UnavailableError
from edge_runtime.worker import Worker
from tests.support.own_engine import own_engine
from tests.support.slots import slot
from tests.support.tiny_bundle import TinyModel, npy, tiny_bundle, tiny_manifest

_LENGTH, _CHANNELS = 50_000, 2
_ROWS_MB = 33  # which a window of 400 kB is measured on, beside the golden ones
_CANDIDATE = Candidate("fp32")


@pytest.fixture
def large_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A slot of a model whose windows are large, and which takes little beside them."""
    monkeypatch.setenv(*own_engine(tmp_path).popitem())
    levels = np.asarray([-1, 1], np.float32).reshape(2, 1, 1)
    windows = np.broadcast_to(levels, (2, _LENGTH, _CHANNELS))
    label, probabilities = TinyModel()(windows)
    manifest = tiny_manifest("large", "1.0.0", 1, model_size=1, golden_count=2)
    assert manifest.window is not None
    (fp32,) = manifest.variants
    (declared,) = manifest.inputs
    manifest = msgspec.structs.replace(
        manifest,
        inputs=(msgspec.structs.replace(declared, shape=(None, _LENGTH, _CHANNELS)),),
        window=msgspec.structs.replace(manifest.window, length=_LENGTH),
        variants=(msgspec.structs.replace(fp32, engine="own"),),
    )
    files = {
        fp32.file: b"x",
        "golden/inputs/0.npy": npy(windows),
        "golden/outputs/0.npy": npy(label),
        "golden/outputs/1.npy": npy(probabilities),
    }
    return slot(tmp_path, seal(manifest, files, []))


def _peak_mb(worker: Worker) -> float:
    """The most that was resident of its process."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{worker.pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def _lowest_limit_mb(folder: Path, *, within_mb: int) -> int:
    """The lowest limit that the model serves with."""
    too_low, enough = 0, 400
    while enough - too_low > within_mb:
        limit = (too_low + enough) // 2
        try:
            Worker.start(folder, max_bytes=limit * 1_000_000).close()
            enough = limit
        except UnavailableError:
            too_low = limit
    return enough


@pytest.mark.end_to_end
def test_a_limit_that_is_enough_for_the_model_is_enough_to_measure_it(large_rows: Path) -> None:
    limit_mb = _lowest_limit_mb(large_rows, within_mb=_ROWS_MB // 4) + _ROWS_MB // 4
    with Worker.start(large_rows) as worker:
        serving_mb = _peak_mb(worker)
    with Worker(large_rows, asks=True, max_bytes=limit_mb * 1_000_000) as worker:
        worker.candidates()
        worker.prepare(_CANDIDATE, 60, measure_s=0.05)
        worker.wait_ready()
        figures = worker.info.figures
        assert _peak_mb(worker) > serving_mb + _ROWS_MB * 0.8

    assert figures is not None
    assert abs(figures.peak_memory_mb - serving_mb) < _ROWS_MB / 3
    assert abs(figures.allocated_mb - limit_mb) < _ROWS_MB / 2, "it tells what to write into `memory_mb`"


def test_what_a_run_takes_and_gives_back_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def allocated_mb(mega: int) -> float:
        """Of a model whose runs take so many MB, but not the first ones, which prove it."""
        site = tmp_path / str(mega)
        site.mkdir()
        run = f"kept.append(0)\nif len(kept) > 20: np.ones({mega} * 125_000)"
        monkeypatch.setenv(*own_engine(site, run=run).popitem())
        folder = slot(site, tiny_bundle(variants={"fp32": "good"}, on_own={"fp32"}))
        with Worker(folder, asks=True) as worker:
            worker.candidates()
            worker.prepare(_CANDIDATE, 60, measure_s=0.05)
            worker.wait_ready()
            assert worker.info.figures is not None
            return worker.info.figures.allocated_mb

    assert allocated_mb(160) - allocated_mb(0) > 150


def test_who_asks_what_there_is_takes_no_more_than_who_is_told(tmp_path: Path) -> None:
    folder = slot(tmp_path, tiny_bundle())

    def peak_mb(told: Candidate | None) -> float:
        with Worker(folder, asks=True, preferred=told) as worker:
            (found,) = worker.candidates().usable
            worker.prepare(found, 60, measure_s=0.05)
            worker.wait_ready()
            assert worker.info.figures is not None
            return worker.info.figures.peak_memory_mb

    assert abs(peak_mb(None) - peak_mb(Candidate("fp32", "cpu"))) < 8
