"""From a bundle to a plan, kept or built by the real TensorRT-RTX; it is run on a simulated GPU."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace as replaced

from edge_runtime.bundle import Bundle
from edge_runtime.engine.tensorrt import cuda, library, plans
from edge_runtime.engine.tensorrt import machine as machines
from edge_runtime.engine.tensorrt.engine import TensorRTEngine
from edge_runtime.engine.tensorrt.machine import Machine
from edge_runtime.errors import ConfigError, EngineError, UnavailableError
from tests.edge_runtime.engine.tensorrt.models import (
    ROWS,
    engine_in,
    forest,
    load,
    onnx_of,
    simulated,
    variant_of,
)
from tests.edge_runtime.engine.tensorrt.simulated_gpu import machine


def test_a_plan_is_built_once_and_kept_for_the_next_start(bundle: Bundle, tmp_path: Path) -> None:
    told: list[str] = []

    session = load(bundle, engine_in(tmp_path, progress=told.append))
    assert "building a plan for TensorRT" in told[0]
    (kept,) = (tmp_path / "plans").iterdir()
    assert kept.stat().st_size > 100_000
    assert session.notes == ()

    told.clear()
    again = load(bundle, engine_in(tmp_path, progress=told.append))
    assert told == []
    assert again.notes == ()


def test_what_may_take_minutes_is_done_when_it_is_asked_for_and_not_by_the_load(
    bundle: Bundle, tmp_path: Path
) -> None:
    assert engine_in(tmp_path).prepare(bundle, variant_of(bundle)) == ()

    told: list[str] = []
    load(bundle, engine_in(tmp_path, progress=told.append))
    assert told == []


def test_up_to_the_gpu_everything_is_real(bundle: Bundle, tmp_path: Path) -> None:
    """The real library builds, and is given its plan back; only then it misses the GPU."""
    (rtx,) = library.installed()
    pretended = machine()
    real = Machine(rtx, library.imported(rtx), pretended.cuda, pretended.gpu)
    for _ in ("built", "kept"):
        with pytest.raises(EngineError, match=r"the plan cannot be loaded by TensorRT: .*Cuda Runtime"):
            load(bundle, engine_in(tmp_path, machine=real))


def test_here_it_is_unavailable_and_says_what_is_missing() -> None:
    why = TensorRTEngine().why_unavailable()
    assert "driver" in why or "libcudart" in why or "GPU" in why
    with pytest.raises(UnavailableError):
        machines.find()


def test_what_changes_in_the_bundle_is_another_plan(bundle: Bundle) -> None:
    variant, here = variant_of(bundle), machine()
    files = dict(bundle.manifest.files)
    files[variant.file] = replaced(files[variant.file], sha256="0" * 64)
    other: Any = SimpleNamespace(manifest=replaced(bundle.manifest, files=files))
    assert variant.profile is not None
    narrower = replaced(variant.profile, max_rows=8)
    keys = [
        plans._key(bundle, variant, here),
        plans._key(other, variant, here),
        plans._key(bundle, replaced(variant, precision="fp16"), here),
        plans._key(bundle, replaced(variant, profile=narrower), here),
    ]

    assert len({key.file_name for key in keys}) == len(keys)
    assert [keys[0].difference(key) for key in keys] == [None] * 4  # its own, or of no concern to it


@pytest.mark.parametrize(
    ("changed", "value", "why"),
    [
        ("version", "1.8.0", "and here is TensorRT-RTX 1.8.0"),
        ("cuda", "13.1", "of CUDA 13.0, and here is CUDA 13.1"),
        ("capability", "8.9", "of compute capability 8.6, and here is compute capability 8.9"),
        ("board", "another", "and here is the board another"),
        ("title", "TensorRT", "and here is TensorRT 1.7.1"),
    ],
)
def test_what_changes_in_the_machine_builds_the_plan_anew_and_is_told(
    bundle: Bundle, tmp_path: Path, changed: str, value: str, why: str
) -> None:
    engine_in(tmp_path).prepare(bundle, variant_of(bundle))
    other = machine(onnx_of(forest()))
    if changed == "version":
        other.trt.__version__ = value
    elif changed == "title":
        other = replace(other, library=replace(other.library, title=value))
    else:
        other = replace(other, gpu=replace(other.gpu, **{changed: value}))
    told: list[str] = []
    (note,) = engine_in(tmp_path, machine=other, progress=told.append).prepare(
        bundle, variant_of(bundle)
    )
    assert told
    assert "its plan is built again: the kept one is of " in note
    assert why in note
    assert len(list((tmp_path / "plans").iterdir())) == 2


def test_a_damaged_plan_is_built_again_and_reported(bundle: Bundle, tmp_path: Path) -> None:
    engine_in(tmp_path).prepare(bundle, variant_of(bundle))
    (kept,) = (tmp_path / "plans").iterdir()
    raw = bytearray(kept.read_bytes())
    raw[-1] ^= 1
    kept.write_bytes(raw)

    notes = engine_in(tmp_path).prepare(bundle, variant_of(bundle))

    file = "forest 1.0.0, variants/tensorrt-fp32/model.onnx"
    assert notes == (
        f"{file}: its plan is built again: the kept plan is damaged: its digest is another",
    )
    assert engine_in(tmp_path).prepare(bundle, variant_of(bundle)) == ()


def test_a_kept_plan_that_the_library_refuses_is_built_again_once(
    bundle: Bundle, tmp_path: Path
) -> None:
    engine_in(tmp_path).prepare(bundle, variant_of(bundle))
    engine = engine_in(tmp_path)
    simulated(engine).refusals = 1
    (note,) = load(bundle, engine).notes
    assert "its plan is built again" in note
    assert note.endswith("cannot be loaded by TensorRT: the plan is of another version")

    simulated(engine).refusals = 2
    with pytest.raises(EngineError, match="the plan is of another version"):
        load(bundle, engine)


def test_a_broken_library_gives_way_to_another_and_both_reasons_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tensorrt").mkdir()
    (tmp_path / "tensorrt" / "__init__.py").write_text("raise OSError('libnvinfer.so.10: not found')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(cuda, "find", lambda: (machine().cuda, machine().gpu))
    there = machine().library
    assert machines.find().library == there
    monkeypatch.setattr(library, "_LIBRARIES", (library.named("tensorrt"), replace(there, oldest=(99,))))
    with pytest.raises(UnavailableError, match=r"libnvinfer.*; expected TensorRT-RTX 99 or newer"):
        machines.find()


def test_a_plan_that_finds_no_room_is_used_and_that_it_is_not_kept_is_reported(
    bundle: Bundle, tmp_path: Path
) -> None:
    session = load(bundle, engine_in(tmp_path, max_cache_bytes=50_000))
    (note,) = session.notes
    assert "its plan is not kept, so each start builds it anew" in note
    assert "expected a plan of at most 50000 bytes" in note
    assert len(session.run({"rows": ROWS})["label"]) == len(ROWS)
    assert not (tmp_path / "plans").exists()


def test_where_the_cache_is_no_folder_the_plan_is_used_all_the_same(
    bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "plans").write_text("in the way")
    session = load(bundle, engine_in(tmp_path))
    assert any("its plan is not kept" in note for note in session.notes)


def test_without_a_home_the_plan_is_used_and_the_note_says_what_to_set(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGE_RUNTIME_CACHE", raising=False)
    monkeypatch.setattr(Path, "home", _homeless)
    (note,) = load(bundle, TensorRTEngine(plans.Plans(), machine(onnx_of(forest())))).notes
    assert "Set EDGE_RUNTIME_CACHE to a folder" in note


def _homeless() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_what_tensorrt_refuses_is_an_error_of_the_bundle(bundle: Bundle, tmp_path: Path) -> None:
    """The plain variant has operators that TensorRT's parser does not know."""
    variant = msgspec.structs.replace(variant_of(bundle), file=bundle.manifest.variants[0].file)
    with pytest.raises(
        EngineError, match="no plan can be built: TensorRT-RTX: its parser refuses"
    ) as caught:
        engine_in(tmp_path).load(bundle, variant, threads=1)
    assert not isinstance(caught.value, UnavailableError)


def test_a_profile_that_takes_no_single_row_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    profile = msgspec.structs.replace(variant_of(bundle).profile, min_rows=2, opt_rows=2)  # type: ignore[type-var]
    variant = msgspec.structs.replace(variant_of(bundle), profile=profile)
    with pytest.raises(EngineError, match="expected a profile that takes one row, found 2 at least"):
        engine_in(tmp_path).load(bundle, variant, threads=1)


def test_threads_are_one_or_more(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="threads: expected 1 or more, found 0"):
        engine_in(tmp_path).load(bundle, variant_of(bundle), threads=0)


def test_an_engine_tells_of_a_build_on_standard_error(
    bundle: Bundle, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = machine(onnx_of(forest()))
    TensorRTEngine(plans.Plans(tmp_path / "plans"), given).prepare(bundle, variant_of(bundle))
    assert "forest 1.0.0" in capfd.readouterr().err
