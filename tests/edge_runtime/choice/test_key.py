"""What a measurement holds for."""

import sys
from pathlib import Path

import numpy
import onnxruntime
import pytest

from edge_runtime import __version__
from edge_runtime.choice import key
from edge_runtime.choice.key import key_of, same_machine


@pytest.fixture(autouse=True)
def _look_anew() -> None:
    key.software.cache_clear()


def test_it_names_this_machine_and_what_runs_models_on_it() -> None:
    found = key_of()

    assert found.runtime == __version__
    assert f"onnxruntime {onnxruntime.__version__}" in found.software
    assert f"numpy {numpy.__version__}" in found.software
    assert not [name for name in found.software if name.startswith("pytest")]
    assert found.machine.endswith(" cores")
    assert found == key_of()


@pytest.mark.parametrize(
    "setting",
    [
        {"board": "pi5"},
        {"threads": 2},
        {"max_bytes": 1 << 28},
        {"variant": "int8"},
        {"provider": "cpu"},
        {"prefer": "author"},
    ],
)
def test_another_setting_is_another_key_of_the_same_machine(setting: dict[str, object]) -> None:
    other = key_of(**setting)  # type: ignore[arg-type]
    assert other != key_of()
    assert same_machine(other, key_of())


def test_another_engine_is_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key_of()
    (tmp_path / "onnxruntime_gpu-1.32.0.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path), "/nowhere"])
    key.software.cache_clear()

    after = key_of()

    assert set(after.software) - set(before.software) == {"onnxruntime_gpu 1.32.0"}
    assert not same_machine(before, after)
