"""A bundle to load, and packages of plug-ins that are installed for one test."""

import os
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.bundle import Bundle, open_bundle
from edge_runtime.engine.onnxruntime import looking
from edge_runtime.engine.trying import tried
from tests.edge_runtime.engine.onnxruntime.plugins import Install
from tests.support.tiny_bundle import tiny_bundle


@pytest.fixture(autouse=True)
def _environment_as_before() -> Iterator[None]:
    """What a provider sets for its libraries would change the plans that later tests build."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Bundle]:
    path = tmp_path / "tiny.edge"
    path.write_bytes(tiny_bundle())
    with open_bundle(path, root=None, allow_unsigned=True) as bundle:
        yield bundle


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a plug-in's package with this code, for this process and those it starts."""
    folder = tmp_path / "installed"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    paths = filter(None, (str(folder), os.environ.get("PYTHONPATH")))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    _forget()

    def made(name: str, code: str) -> None:
        (folder / f"{name}.py").write_text(textwrap.dedent(code))
        _forget()

    yield made
    _forget()


def _forget() -> None:
    looking.is_installed.cache_clear()
    tried.cache_clear()
