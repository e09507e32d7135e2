"""`bench`: candidates measured side by side, and what a device has measured of its own."""

import json
import os
import re
from pathlib import Path

import msgspec
import pytest

from edge_runtime import cli
from edge_runtime.bundle import open_bundle, seal
from edge_runtime.bundle.manifest import Variant
from edge_runtime.choice import record
from edge_runtime.choice.key import key_of
from edge_runtime.choice.record import Record
from edge_runtime.worker import Worker
from tests.edge_runtime.choice.rows import row
from tests.edge_runtime.store.rig import Shelf
from tests.support.slots import slot
from tests.support.tiny_bundle import KEY, root_bytes, tiny_bundle


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle of the tiny model whose variants are: for newer software, wrong here, and right."""
    path = tmp_path / "tiny.edge"
    path.write_bytes(tiny_bundle(variants={"newer": "good", "other": "wrong", "fp32": "good"}))
    with open_bundle(path, root=None, allow_unsigned=True) as bundle:
        manifest, files = bundle.manifest, {name: bundle.read(name) for name in bundle.manifest.files}

    def changed(variant: Variant) -> Variant:
        requires = {"onnxruntime": ">=99"} if variant.id == "newer" else {}
        return msgspec.structs.replace(variant, requires=requires)

    variants = tuple(changed(variant) for variant in manifest.variants)
    manifest = msgspec.structs.replace(manifest, variants=variants, files={})
    path.write_bytes(seal(manifest, files, [KEY]))
    (tmp_path / "root.json").write_bytes(root_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str, str]:
    code = cli.run(line.split())
    found = capsys.readouterr()
    return code, found.out, found.err


@pytest.mark.usefixtures("folder")
def test_every_candidate_is_measured_or_says_why_not(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "bench tiny.edge --trust root.json --all-variants --seconds 0.1 --json")

    found = json.loads(out)
    assert code == 0
    by_variant = {each["candidate"]["variant"]: each for each in found["candidates"]}
    assert "needs onnxruntime >=99, found" in by_variant["newer"]["why_not"]
    assert "expected the source model's outputs for" in by_variant["other"]["why_not"]
    right = by_variant["fp32"]
    assert right["p50_us"] > 0
    assert right["batch_rows_per_s"] > 0
    assert right["memory_mb"] > 20
    assert right["golden_max_abs_error"] <= 1e-5
    assert found["bundle"] == "tiny 1.0.0"
    assert found["chosen"] == found["first"] == {"variant": "fp32", "provider": "cpu"}


@pytest.mark.usefixtures("folder")
def test_people_get_a_table_and_a_sentence_for_each_that_cannot(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, out, err = run(capsys, "bench tiny.edge --trust root.json --all-variants --seconds 0.1")

    lines = out.splitlines()
    assert lines[0] == "tiny 1.0.0"
    assert lines[1].split()[:2] == ["variant", "on"]
    assert [line.split()[0] for line in lines[2:5]] == ["other", "fp32", "newer"]
    assert lines[3].endswith("  chosen")
    assert lines[5].startswith("other on cpu: tiny 1.0.0: expected the source model's outputs")
    assert lines[6].startswith("newer: needs onnxruntime >=99")
    assert lines[-1] == ("a device runs fp32 on cpu; edge_runtime.load, the author's first: fp32 on cpu")
    assert "tiny 1.0.0: measures other on cpu, fp32 on cpu" in err


@pytest.mark.usefixtures("folder")
def test_one_variant_and_one_provider_may_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "bench tiny.edge --trust root.json --variant int8")
    assert code == 8
    assert "expected a variant 'int8', found newer, other, fp32" in err

    line = "bench tiny.edge --trust root.json --variant fp32 --provider cpu --seconds 0.05 --json"
    code, out, _ = run(capsys, line)
    assert (code, json.loads(out)["variant"]) == (0, "fp32")


@pytest.mark.parametrize("how", ["--variant fp32", "--all-variants"])
def test_who_runs_models_on_this_machine_meanwhile_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    def warned_of() -> list[str]:
        code, _, err = run(capsys, f"bench tiny.edge --trust root.json --seconds 0.05 {how}")
        assert code == 0
        told = re.search(r"^warning: an agent or another .* \(process (.*)\): what is measured", err)
        return told[1].split(", ") if told else []

    with Worker.start(slot(folder, tiny_bundle())):
        assert str(os.getpid()) in warned_of()
    assert str(os.getpid()) not in warned_of()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("tiny.edge --allow-unsigned --variant fp32 --all-variants", "exclude each other"),
        ("tiny.edge --all-variants", "Say whose signature to trust"),
        ("tiny.edge --allow-unsigned --store store", "Give either a BUNDLE to measure, or --store"),
        ("", "Give either a BUNDLE to measure, or --store"),
        ("tiny.edge --allow-unsigned --model tiny", "--model belongs to --store"),
        ("--store store --all-variants", "--all-variants says how to measure a BUNDLE"),
        ("--store store --seconds 3", "--seconds says how to measure a BUNDLE"),
        ("tiny.edge --allow-unsigned --seconds nan", "nan is no time in seconds"),
    ],
)
def test_a_wrong_command_line_is_told_as_one(
    capsys: pytest.CaptureFixture[str], line: str, told: str
) -> None:
    code, _, err = run(capsys, f"bench {line}")
    assert code == 2
    assert told in err


def recorded(
    shelf: Shelf, board: str = "", machine: str = "", variant: str = "", provider: str = ""
) -> str:
    """A device that runs tiny 1.0.0, measured there; the active slot's digest."""
    digest = shelf.run("1.0.0").digest
    key = key_of(board=board, variant=variant, provider=provider)
    if machine:
        key = msgspec.structs.replace(key, machine=machine)
    rows = (row("fp32", 20), row("int8", 10), row("fp16", why_not="needs tensorrt (no GPU)"))
    made = Record(digest=digest, key=key, rows=rows, chosen=rows[1].candidate)
    record.write(record.path_of(shelf.store.root, "tiny", digest), made)
    return digest


def test_what_a_device_has_measured_is_shown_and_nothing_is_measured(
    shelf: Shelf, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = recorded(shelf, board="pi5")

    code, out, _ = run(capsys, f"bench --store {shelf.store.root}")
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "tiny 1.0.0"
    assert lines[3].split() == ["int8", "cpu", "10.0", "20.0", "40", "50", "chosen"]
    assert lines[-1].startswith(f"on {key_of().machine}, edge-runtime ")
    assert "others now" not in lines[-1]
    assert "pinned" not in out

    _, out, _ = run(capsys, f"bench --store {shelf.store.root} --model tiny --json")
    (found,) = json.loads(out)
    assert (found["model"], found["version"], found["digest"]) == ("tiny", "1.0.0", digest)
    assert found["measured"]["chosen"] == {"variant": "int8", "provider": "cpu"}


@pytest.mark.parametrize(
    ("pins", "told"),
    [
        ({"variant": "int8"}, "the variant int8"),
        ({"provider": "cpu"}, "the provider cpu"),
        ({"variant": "int8", "provider": "cpu"}, "the variant int8 on the provider cpu"),
    ],
)
def test_what_was_pinned_and_not_the_fastest_is_told_as_that(
    shelf: Shelf, capsys: pytest.CaptureFixture[str], pins: dict[str, str], told: str
) -> None:
    recorded(shelf, **pins)
    _, out, _ = run(capsys, f"bench --store {shelf.store.root}")
    line = f"pinned by the configuration or a command: {told}; no other was measured"
    assert out.splitlines()[-2] == line


def test_a_record_of_another_machine_is_told_as_one(
    shelf: Shelf, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(shelf, machine="aarch64, Raspberry Pi 4, 4 cores")
    _, out, _ = run(capsys, f"bench --store {shelf.store.root}")
    assert "; this machine, its engines or edge-runtime are others now: an agent measures it" in out


def test_what_is_not_measured_yet_or_not_there_is_told(
    shelf: Shelf, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = shelf.run("1.0.0").digest
    record.path_of(shelf.store.root, "tiny", digest).unlink(missing_ok=True)

    _, out, _ = run(capsys, f"bench --store {shelf.store.root}")
    told = "an agent measures it when it starts; without one: edge-runtime activate tiny"
    assert f"nothing is recorded: {told}" in out
    code, _, err = run(capsys, f"bench --store {shelf.store.root} --model other")
    assert code == 7
    assert "expected the model 'other', found tiny" in err
