"""docs/engines.md: its engine of another package runs, and the bundle made for it proves it."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import edge_runtime
from edge_runtime.engine import registry
from edge_runtime.engine.trying import tried
from tests.support.tiny_bundle import golden_windows, tiny_bundle

PAGE = (Path(__file__).parents[3] / "docs" / "engines.md").read_text()
SECTION = PAGE.partition("## An engine of your own")[2]
ENGINE, BUNDLE = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
ENTRY_POINT = re.findall(r"```toml\n.*?\n(.*?)```", SECTION, re.DOTALL)[0].replace('"', "")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a user stands who has installed the page's package and converted `digits`."""
    site = tmp_path / "site"
    about = site / "mypackage-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "mypackage").mkdir()
    (site / "mypackage" / "engine.py").write_text(ENGINE)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mypackage\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{ENTRY_POINT}")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits-1.0.0.edge").write_bytes(tiny_bundle())
    _forget()
    yield tmp_path
    _forget()
    for name in [name for name in sys.modules if name.partition(".")[0] == "mypackage"]:
        del sys.modules[name]


def _forget() -> None:
    registry._engine.cache_clear()
    tried.cache_clear()


def test_the_engine_of_the_page_gives_the_golden_outputs_of_the_bundle_made_for_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert registry.GROUP in SECTION

    exec(BUNDLE, {})

    assert "count=6" in capsys.readouterr().out
    path = folder / "digits-1.0.1.edge"
    with (
        edge_runtime.load(path, allow_unsigned=True, variant="mine") as theirs,
        edge_runtime.load(path, allow_unsigned=True) as ours,
    ):
        assert theirs.variant.engine == "myengine"
        assert ours.variant.engine == "onnxruntime"
        assert list(theirs.predict(golden_windows())) == list(ours.predict(golden_windows()))
