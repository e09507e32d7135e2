from pathlib import Path

import pytest

from tests.edge_runtime.store.commands import Command
from tests.edge_runtime.store.rig import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture
def command(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(shelf, capsys)
