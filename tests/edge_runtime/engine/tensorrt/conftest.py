from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.bundle import Bundle
from tests.edge_runtime.engine.tensorrt.models import forest, opened


@pytest.fixture
def bundle(tmp_path: Path) -> Iterator[Bundle]:
    """The forest's, open."""
    with opened(forest(), tmp_path) as found:
        yield found
