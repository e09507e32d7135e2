"""Which variants of a model can run here: decided from values, and looked up in a real store."""

from pathlib import Path

import msgspec
import pytest

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.choice import record
from edge_runtime.config import Config, DeviceConfig, ModelConfig, SourceConfig
from edge_runtime.doctor import engines, software
from edge_runtime.doctor.findings import Device
from edge_runtime.doctor.probe import Engines
from edge_runtime.engine.candidate import Candidate
from edge_runtime.store.activate import bring_up
from edge_runtime.store.disk import Store
from tests.edge_runtime.engine.onnxruntime.plugins import OPENVINO, Install
from tests.edge_runtime.store.rig import Shelf
from tests.support.own_engine import own_engine
from tests.support.tiny_bundle import root, tiny_bundle, tiny_manifest

TINY = tiny_manifest("tiny", "1.0.0", 1, model_size=1, golden_count=1)
NEEDS_TRT = "trt needs tensorrt (no GPU)."
NO_GPU = Engines({"onnxruntime": "", "tensorrt": "no GPU"}, {"onnxruntime": ("cpu", "xnnpack")})


def manifest(*boards: str) -> Manifest:
    """A variant of TensorRT for these boards, before one for all."""
    (fp32,) = TINY.variants
    plan = msgspec.structs.replace(fp32, id="trt", engine="tensorrt", boards=boards)
    return msgspec.structs.replace(TINY, variants=(plan, fp32))


@pytest.mark.parametrize(
    ("board", "pinned", "state", "what"),
    [
        (
            "pi5",
            "",
            "ok",
            "fp32 can run here on cpu, xnnpack; trt is made for orin-nano (this is pi5).",
        ),
        ("", "", "ok", "fp32 can run here on cpu, xnnpack; trt needs tensorrt (no GPU)."),
        (
            "orin-nano",
            "",
            "warning",
            "fp32 can run here on cpu, xnnpack, but not what was made for this board: " + NEEDS_TRT,
        ),
        ("orin-nano", "fp32", "ok", "fp32 can run here on cpu, xnnpack."),
        ("orin-nano", "trt", "problem", "no variant can run here: trt needs tensorrt (no GPU)."),
        ("orin-nano", "int8", "problem", "expected a variant 'int8', found trt, fp32."),
    ],
)
def test_what_is_for_this_board_is_expected_to_run(
    board: str, pinned: str, state: str, what: str
) -> None:
    found = engines.judge(manifest("orin-nano"), NO_GPU, board, pinned)
    assert (found.state, found.what.removeprefix("tiny 1.0.0: ")) == (state, what)
    assert bool(found.advice) == (state != "ok")


def test_a_provider_that_is_installed_and_broken_is_told(
    tmp_path: Path, install: Install, shelf: Shelf
) -> None:
    shelf.install("1.0.0")
    device = Device(store=shelf.store.root)
    assert [each.state for each in engines.look(device)] == ["ok"]

    install(OPENVINO, "import nosuchthing")
    model, provider = engines.look(device)
    assert model.what == "tiny 1.0.0: fp32 can run here on cpu."
    assert provider.state == "warning"
    assert "onnxruntime: openvino is installed and cannot be used: No module named" in provider.what


def test_an_adapter_that_breaks_when_it_is_asked_for_providers_hides_nothing_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shelf: Shelf
) -> None:
    monkeypatch.setenv(*own_engine(tmp_path).popitem())
    with (tmp_path / "own-engine" / "ownengine.py").open("a") as module:
        module.write("Engine.providers = lambda *_: 1 / 0\n")
    shelf.install("1.0.0", variants={"gpu": "good", "fast": "good"}, on_own={"gpu"})

    model, adapter = engines.look(Device(store=shelf.store.root))
    assert (model.state, model.what) == ("ok", "tiny 1.0.0: gpu can run here; fast can run here on cpu.")
    assert adapter.state == "warning"
    assert adapter.what == (
        "What own can run on cannot be told: its adapter is broken: ZeroDivisionError: division by zero."
    )
    assert adapter.advice.startswith("Install another release of its package.")


def test_a_provider_that_is_pinned_may_be_one_of_an_adapter_that_breaks() -> None:
    (fp32,) = TINY.variants
    gpu = msgspec.structs.replace(fp32, id="gpu", engine="own")
    theirs = msgspec.structs.replace(TINY, variants=(gpu, fp32))
    found = msgspec.structs.replace(
        NO_GPU,
        unavailable={"onnxruntime": "", "own": ""},
        broken={"own": "its adapter is broken: ZeroDivisionError: oh"},
    )

    pinned = engines.judge(theirs, found, "", provider="npu")
    assert pinned.state == "problem"
    assert pinned.what == (
        "tiny 1.0.0: is to run on npu, but the providers here are: cpu, xnnpack. "
        "What own can run on cannot be told: its adapter is broken: ZeroDivisionError: oh."
    )
    assert pinned.advice == (
        "Install another release of that engine's package, or name one of these in "
        "`models[].provider`, or none."
    )
    assert engines.judge(theirs, found, "", provider="cpu").state == "ok"
    assert engines.judge(theirs, found, "", "fp32", "npu").advice == (
        "Name one of these in `models[].provider`, or none."
    )


def test_what_was_tried_here_and_cannot_serve_is_not_said_to_run(shelf: Shelf) -> None:
    variants = {"wrong": "wrong", "slow": "slow", "fast": "good"}
    slot = shelf.install("1.0.0", variants=variants)
    device = Device(store=shelf.store.root)
    (before,) = engines.look(device)
    assert before.what == "tiny 1.0.0: wrong, slow, fast can run here on cpu."

    bring_up(shelf.store, slot, wait_s=0)
    (tried,) = engines.look(device)
    assert tried.state == "ok"
    assert tried.what == (
        "tiny 1.0.0: slow, fast can run here on cpu; wrong was tried here and cannot serve: "
        "edge-runtime bench --store tells why."
    )

    path = record.path_of(shelf.store.root, "tiny", slot.digest)
    found = record.read(path)
    assert found is not None
    other = msgspec.structs.replace(found.key, software=("onnxruntime 1.0.0",))
    record.write(path, msgspec.structs.replace(found, key=other))
    assert list(engines.look(device)) == [before]


def test_a_provider_that_was_tried_and_failed_is_none_that_it_can_run_on() -> None:
    failed = {Candidate("fp32", "xnnpack")}
    found = engines.judge(manifest(), NO_GPU, "", failed=failed)
    assert found.what == f"tiny 1.0.0: fp32 can run here on cpu; {NEEDS_TRT}"


def test_an_adapter_that_hangs_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shelf: Shelf
) -> None:
    monkeypatch.setenv(*own_engine(tmp_path, why="time.sleep(60)").popitem())
    monkeypatch.setattr(software, "_IMPORT_S", 5.0)
    shelf.install("1.0.0", variants={"gpu": "good", "fast": "good"}, on_own={"gpu"})

    (found,) = engines.look(Device(store=shelf.store.root))
    assert found.state == "problem"
    assert found.what == "The engine own of the package ownengine 1.0 could not be imported within 5 s."


@pytest.mark.parametrize(
    ("provider", "state", "what"),
    [
        ("xnnpack", "ok", f"fp32 can run here on xnnpack; {NEEDS_TRT}"),
        ("cuda", "problem", "is to run on cuda, but the providers here are: cpu, xnnpack."),
    ],
)
def test_a_provider_that_is_pinned_has_to_be_usable(provider: str, state: str, what: str) -> None:
    found = engines.judge(manifest(), NO_GPU, "", provider=provider)
    assert (found.state, found.what.removeprefix("tiny 1.0.0: ")) == (state, what)


@pytest.mark.parametrize(
    ("provider", "advice"),
    [
        ("cuda", "Bring what it needs, or name another in `models[].provider`, or none."),
        ("gpu0", "Name one of these in `models[].provider`, or none."),
    ],
)
def test_a_provider_that_nobody_knows_is_not_told_to_be_brought(provider: str, advice: str) -> None:
    assert engines.judge(manifest(), NO_GPU, "", provider=provider).advice == advice


def test_what_is_installed_is_asked_of_the_engines_that_are_here(tmp_path: Path) -> None:
    store = Store(tmp_path / "state" / "store")
    source = SourceConfig(url="mqtt://127.0.0.1", topic="t")
    config = Config(
        device=DeviceConfig(id="dev", data=tmp_path / "state", board="pi4"),
        models=(ModelConfig(name="tiny", source=source),),
    )
    device = Device(config=config)
    assert list(engines.look(device)) == []

    (tmp_path / "one.edge").write_bytes(tiny_bundle())
    digest = store.install(tmp_path / "one.edge", root=root()).digest
    assert [each.what for each in engines.look(device)] == ["tiny 1.0.0: fp32 can run here on cpu."]

    store.tried("tiny", digest)
    store.proved("tiny", digest)
    store.confirmed("tiny", digest)
    (tmp_path / "two.edge").write_bytes(tiny_bundle(version="1.1.0", boards=("pi5",)))
    store.install(tmp_path / "two.edge")
    active, pending = engines.look(device)
    assert active.state == "ok"
    assert pending.state == "problem"
    assert "tiny 1.1.0: no variant can run here: fp32 is made for pi5 (this is pi4)" in pending.what
