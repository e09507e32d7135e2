from pathlib import Path

import pytest

from tests.edge_runtime.store.rig import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)
