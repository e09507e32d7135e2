"""Load a bundle as the README says it: whose signature counts, what is refused, what `close` ends."""

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import edge_runtime
from edge_runtime.bundle import open_bundle
from edge_runtime.errors import (
    BundleError,
    ConfigError,
    EngineError,
    GoldenMismatchError,
    TrustError,
)
from edge_runtime.model import Model, from_bundle
from tests.support.tiny_bundle import TinyModel, golden_windows, tiny_bundle
from tests.support.unpacked import payloads, unpack

WINDOWS = golden_windows()
LABELS, PROBABILITIES = TinyModel()(WINDOWS)
NAMES = [("still", "moving")[label] for label in LABELS]


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
    with pytest.raises(EngineError, match=r"tiny 1\.0\.0: the model was closed"), model:
        pass


@pytest.mark.parametrize("threads", ["a", None, 0])
def test_what_is_no_number_of_threads_is_told_as_such(folder: Path, threads: object) -> None:
    with pytest.raises(ConfigError, match=f"threads: expected 1 or more, found {threads!r}"):
        edge_runtime.load(folder / "tiny.edge", allow_unsigned=True, threads=threads)  # type: ignore[arg-type]


def test_a_model_of_a_callers_bundle_leaves_it_open(folder: Path) -> None:
    with open_bundle(folder / "tiny.edge", root=None, allow_unsigned=True) as bundle:
        with from_bundle(bundle) as model:
            assert model.digest == bundle.digest
        assert bundle.read("card.md")


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


def test_one_that_is_dropped_without_close_leaves_no_file_open(folder: Path) -> None:
    before = os.listdir("/proc/self/fd")
    model = edge_runtime.load(folder / "tiny.edge", allow_unsigned=True)
    model.predict(WINDOWS)

    with pytest.warns(ResourceWarning, match=r"unclosed bundle '.*tiny\.edge'"):
        del model

    assert os.listdir("/proc/self/fd") == before


def test_it_says_what_it_is_and_what_runs_it(model: Model) -> None:
    assert repr(model) == "<edge_runtime.Model tiny 1.0.0: variant fp32, onnxruntime on cpu>"


@pytest.mark.parametrize("hand_on", [pickle.dumps, copy.copy, copy.deepcopy])
def test_what_cannot_be_handed_on_says_what_can(
    model: Model, folder: Path, hand_on: Callable[[Model], object]
) -> None:
    with pytest.raises(EngineError) as caught:
        hand_on(model)

    assert str(caught.value) == (
        "tiny 1.0.0: expected the path of a bundle to hand on, found a loaded model, which cannot be "
        "pickled or copied: it lives in the memory of this process. "
        f"Hand on '{folder / 'tiny.edge'}', and let each process load it."
    )


@pytest.mark.parametrize("shape", ["archive", "folder"])
def test_models_that_are_never_closed_end_in_an_error_that_says_so(folder: Path, shape: str) -> None:
    """In a process of its own, whose first error it is: what tells of it cannot be imported then."""
    path = folder / "tiny.edge"
    if shape == "folder":
        path = unpack(payloads(tiny_bundle()), folder / "slot")
    script = f"""
import edge_runtime, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
models = []
try:
    while True:
        models.append(edge_runtime.load({str(path)!r}, allow_unsigned=True))
except edge_runtime.errors.UnreadableError as error:
    print(error)
for model in models:
    model.close()
"""
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert shown.stdout == (
        f"{path}: the bundle cannot be read: Too many open files. This process has as many files open "
        "as it may (`ulimit -n` tells how many): close what is no longer used, such as models, or raise "
        "the limit.\n"
    )
