"""What the outbox's file costs the disk, and files as they were made before."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge_runtime.telemetry import outbox_file
from edge_runtime.telemetry.outbox import Outbox
from tests.edge_runtime.telemetry.rows import predictions

PLACE = {"place/motion": b'{"ring":"0123456789abcdef","run":1,"next":100}'}


def page_bytes(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("PRAGMA page_size").fetchone()[0])


def log_bytes_a_row(path: Path) -> float:
    """What one row in a commit of its own, with the place of the next window, adds to the log."""
    with Outbox(path) as outbox:
        log = path.with_name(f"{path.name}-wal")
        before = log.stat().st_size
        for row in predictions(100):
            outbox.append([row], meta=PLACE)
        return (log.stat().st_size - before) / 100


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def test_a_commit_of_one_row_adds_less_than_a_block_of_4096_bytes_to_the_log(path: Path) -> None:
    assert log_bytes_a_row(path) < 4096


def test_a_file_with_the_larger_pages_of_before_is_gone_on_with(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA page_size = 4096")
        database.executescript(outbox_file._SCHEMA)

    with Outbox(path) as outbox:
        assert outbox.append(predictions(3)) == 3
    with Outbox(path) as outbox:
        assert outbox.counts().rows == 3
    assert page_bytes(path) == 4096


def test_the_log_goes_into_the_file_after_as_many_bytes_whatever_the_pages_are(path: Path) -> None:
    with Outbox(path) as outbox:
        most = 0
        for _ in range(40):
            outbox.append(predictions(1000))
            most = max(most, path.with_name(f"{path.name}-wal").stat().st_size)
    assert 4_000_000 < most < 9_000_000


def test_the_index_of_the_log_stays_as_large_as_the_opening_made_it(path: Path) -> None:
    """SQLite makes it larger after it has written a commit: on a full disk that fails, and is there."""
    index = path.with_name(f"{path.name}-shm")
    with Outbox(path) as outbox:
        before = index.stat().st_size
        for row in predictions(3000):  # more than a log is long
            outbox.append([row], meta=PLACE)
        assert index.stat().st_size == before
