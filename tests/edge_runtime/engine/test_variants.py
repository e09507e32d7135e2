"""Variants measured side by side: which is fastest here, and what is said of one that cannot run."""

import json
from pathlib import Path

import msgspec
import pytest

from edge_runtime import cli
from edge_runtime.bundle import open_bundle, seal
from edge_runtime.bundle.manifest import Variant
from edge_runtime.engine.variants import Measured, fastest
from tests.support.tiny_bundle import KEY, root_bytes, tiny_bundle


def measured(name: str, p50_us: float | None) -> Measured:
    return Measured(variant=name, engine="onnxruntime", precision="fp32", file_mb=1.0, p50_us=p50_us)


@pytest.mark.parametrize(
    ("times", "best"),
    [
        ({"a": 10.0, "b": 9.0}, "b"),
        ({"a": 10.0, "b": 9.8}, "a"),  # as fast, within noise: the author's order
        ({"a": None, "b": 20.0}, "b"),
        ({"a": None}, ""),
        ({}, ""),
    ],
)
def test_the_fastest_is_the_one_of_the_lowest_median(times: dict[str, float | None], best: str) -> None:
    assert fastest([measured(name, p50_us) for name, p50_us in times.items()]) == best


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle of the tiny model whose variants are: for another board, wrong here, and right."""
    plain = tmp_path / "plain.edge"
    plain.write_bytes(tiny_bundle())
    wrong = tmp_path / "wrong.edge"
    wrong.write_bytes(tiny_bundle(seed=3))
    with open_bundle(plain, root=None, allow_unsigned=True) as bundle:
        manifest, files = bundle.manifest, {name: bundle.read(name) for name in bundle.manifest.files}
    with open_bundle(wrong, root=None, allow_unsigned=True) as bundle:
        files["variants/other/model.onnx"] = bundle.read("variants/fp32/model.onnx")
    (right,) = manifest.variants

    def variant(name: str, **changes: object) -> Variant:
        return msgspec.structs.replace(right, id=name, **changes)

    variants = (
        variant("newer", requires={"onnxruntime": ">=99"}),
        variant("other", file="variants/other/model.onnx"),
        right,
    )
    manifest = msgspec.structs.replace(manifest, variants=variants, files={})
    (tmp_path / "tiny.edge").write_bytes(seal(manifest, files, [KEY]))
    (tmp_path / "root.json").write_bytes(root_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str, str]:
    code = cli.run(line.split())
    found = capsys.readouterr()
    return code, found.out, found.err


@pytest.mark.usefixtures("folder")
def test_every_variant_is_measured_or_says_why_not(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "bench tiny.edge --trust root.json --all-variants --seconds 0.1 --json")

    found = json.loads(out)
    assert code == 0
    newer, other, right = found["variants"]
    assert "needs onnxruntime >=99, found" in newer["why_not"]
    assert "expected the source model's outputs for" in other["why_not"]
    assert right["p50_us"] > 0
    assert right["peak_memory_mb"] > 20
    assert right["golden_max_abs_error"] <= 1e-5
    assert (found["fastest"], found["runs"]) == ("fp32", "fp32")


@pytest.mark.usefixtures("folder")
def test_people_get_a_table_and_a_sentence_for_each_that_cannot(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, out, _ = run(capsys, "bench tiny.edge --trust root.json --all-variants --seconds 0.1")

    lines = out.splitlines()
    assert lines[0] == "tiny 1.0.0"
    assert lines[1].split()[:2] == ["variant", "engine"]
    assert [line.split()[0] for line in lines[2:5]] == ["newer", "other", "fp32"]
    assert lines[5].startswith("newer: ")
    assert lines[-1] == "fastest here: fp32; runs: fp32"


@pytest.mark.usefixtures("folder")
def test_one_variant_may_be_asked_for_by_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "bench tiny.edge --trust root.json --variant int8")

    assert code == 8
    assert "expected a variant 'int8', found newer, other, fp32" in err


@pytest.mark.usefixtures("folder")
def test_one_variant_and_all_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "bench tiny.edge --allow-unsigned --variant fp32 --all-variants")

    assert code == 2
    assert "exclude each other" in err
