"""A real SIGKILL before every system call of an outbox's life, SQLite's own calls included."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.end_to_end
CHECKOUT = Path(__file__).parents[3]


@pytest.fixture
def folder() -> Iterator[Path]:
    """On a file system in memory: a kill does not ask whether bytes had reached a disk."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder)


def test_no_row_is_lost_or_there_twice_and_the_place_is_that_of_the_last(
    folder: Path, record_property: Callable[[str, object], None]
) -> None:
    """It is made, filled, acknowledged in part, closed and opened again; the whole is done once more."""
    command = [sys.executable, "-m", "tests.support.killed_outbox", str(folder)]

    found = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)

    assert found.stderr == ""
    assert int(found.stdout) > 100
    record_property("power: path", "outbox")
    record_property("power: kills", int(found.stdout))
