"""Which TensorRT is there."""

from pathlib import Path

import pytest

from edge_runtime.engine.tensorrt import library
from edge_runtime.engine.tensorrt.engine import TensorRTEngine
from edge_runtime.engine.words import as_engine_error
from edge_runtime.errors import EngineError


def test_the_installed_one_is_found_without_importing_it() -> None:
    (found,) = library.installed()
    assert found.title == "TensorRT-RTX"


def test_a_folder_of_the_librarys_name_is_no_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tensorrt").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [each.title for each in library.installed()] == ["TensorRT-RTX"]


@pytest.mark.parametrize(
    ("jetson", "hint"),
    [(True, "sudo apt-get install python3-libnvinfer"), (False, 'pip install "edge-runtime[tensorrt]"')],
)
def test_where_none_is_installed_the_reason_says_how_this_machine_gets_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jetson: bool, hint: str
) -> None:
    monkeypatch.setattr(library, "_LIBRARIES", ())
    monkeypatch.setattr(library, "_TEGRA", str(tmp_path / "nv_tegra_release"))
    if jetson:
        (tmp_path / "nv_tegra_release").write_text("# R36 (release), REVISION: 4.0")
    why = TensorRTEngine().why_unavailable()
    assert why.startswith("TensorRT is not installed; try: ")
    assert hint in why


def test_what_the_bindings_raise_becomes_one_of_our_errors() -> None:
    said = "it cannot be done by TensorRT: so it goes"
    with pytest.raises(EngineError, match=said), as_engine_error("it cannot be done", library.NAME):
        raise RuntimeError("so it\n goes")
