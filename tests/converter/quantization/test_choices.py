"""Choices are read from themselves, a file or the bundle that holds them, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from converter.quantization.choices import Choices, Recipe, read_choices
from edge_runtime.errors import BundleError, ConfigError, StorageError
from tests.support.tiny_bundle import tiny_bundle

CHOICES = Choices(
    format=1,
    recipes=(
        Recipe(
            id="int8-static",
            engine="onnxruntime",
            precision="int8",
            method="static",
            calibration="entropy",
            excluded=("layer_1",),
        ),
    ),
    before_fp32=1,
    calibration_sha256="0" * 64,
)


def test_they_are_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "choices.json"
    path.write_bytes(CHOICES.to_bytes())

    for given in (CHOICES, CHOICES.to_bytes(), path, str(path)):
        assert read_choices(given) == CHOICES


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 2}, "found format 2, and this version knows 1"),
        ({"before_fp32": 2}, "found 2 variants before fp32"),
        ({"recipes": [{"id": "x"}]}, "Object missing required field"),
        ({"later": 1}, "unknown field"),
    ],
)
def test_what_no_conversion_wrote_is_refused_in_a_sentence(change: dict[str, Any], told: str) -> None:
    value = {**json.loads(CHOICES.to_bytes()), **change}

    with pytest.raises(ConfigError, match=told):
        read_choices(json.dumps(value).encode())


def test_two_recipes_of_one_id_are_refused() -> None:
    value = json.loads(CHOICES.to_bytes())
    value["recipes"] *= 2

    with pytest.raises(ConfigError, match="not all different"):
        read_choices(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("raw", "told"), [(b"", "found: "), (b"\xff", "found: "), (b"[" * 100_000, "found: ")]
)
def test_other_bytes_are_refused(tmp_path: Path, raw: bytes, told: str) -> None:
    path = tmp_path / "choices.json"
    path.write_bytes(raw)

    with pytest.raises(ConfigError, match=told):
        read_choices(path)


def test_a_file_that_is_not_there_or_too_large_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"none\.json: cannot be read: No such file"):
        read_choices(tmp_path / "none.json")
    large = tmp_path / "large.json"
    large.write_bytes(b" " * (1 << 20) + b"{}")
    with pytest.raises(ConfigError, match="expected choices of at most 1048576 bytes"):
        read_choices(large)


def test_a_bundle_without_choices_says_how_to_get_some(tmp_path: Path) -> None:
    path = tmp_path / "tiny.edge"
    path.write_bytes(tiny_bundle())

    with pytest.raises(ConfigError, match=r"it has no choices\.json\. Convert with --quantize first"):
        read_choices(path)


def test_a_file_that_is_no_bundle_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "text.edge"
    path.write_text("text")

    with pytest.raises(BundleError):
        read_choices(path)


def test_what_is_neither_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected bytes or a path, found int"):
        read_choices(7)
