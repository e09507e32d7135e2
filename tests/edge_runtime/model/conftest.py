"""A bundle of a tiny model, and the model that was loaded of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import edge_runtime
from edge_runtime.model import Model
from tests.support.tiny_bundle import OTHER_KEY, root_bytes, tiny_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """tiny.edge, the root file that trusts it, and another that does not."""
    (tmp_path / "tiny.edge").write_bytes(tiny_bundle())
    (tmp_path / "root.json").write_bytes(root_bytes())
    (tmp_path / "other.json").write_bytes(root_bytes(OTHER_KEY))
    return tmp_path


@pytest.fixture
def model(folder: Path) -> Iterator[Model]:
    with edge_runtime.load(folder / "tiny.edge", trust=folder / "root.json") as loaded:
        yield loaded
