"""The SQL of docs/fleet.md, as an operator runs it: beside a collector, on what devices sent."""

import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from devices.fleet.database import Arrival, Database, Watermark
from devices.fleet.reader import Reader
from tests.devices.fleet.rows import STREAM, batch, birth, reported

PAGE = (Path(__file__).parents[3] / "docs" / "fleet.md").read_text()
OLD, GONE = re.findall(r"^```sql\n(.+?)^```$", PAGE, re.M | re.S)
(BACKUP,) = re.findall(r'^sqlite3 DIR/fleet.db "(.+)"$', PAGE, re.M)

LONG_AGO = time.time() - 91 * 86_400


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Rows 1 to 40 of two devices, the first half of them old, in a database that stays open."""
    with Database(tmp_path) as opened:
        for device in ("arm-7", "arm-8"):
            opened.store([Arrival(device, birth(), LONG_AGO)])
            opened.store([Arrival(device, reported("1.0.0"), LONG_AGO)])
            opened.store([Arrival(device, batch(range(1, 21)), LONG_AGO)])
            opened.store([Arrival(device, batch(range(21, 41)), time.time())])
        yield opened


def run(folder: Path, script: str) -> None:
    with closing(sqlite3.connect(folder / "fleet.db")) as connection:
        connection.executescript(script)


def kept(folder: Path, device: str) -> tuple[list[int], int]:
    """The numbers of its predictions, and how many events of it there are."""
    with Reader(folder) as reader:
        seqs = [one.prediction.seq for one in reader.predictions(device, "motion")]
        return seqs, len(list(reader.events(device)))


def test_a_backup_made_beside_the_collector_is_whole_and_goes_on_as_the_fleets(
    tmp_path: Path, database: Database
) -> None:
    run(tmp_path, BACKUP.replace("backup.db", str(tmp_path / "backup.db")))
    database.store([Arrival("arm-7", batch(range(41, 61)), time.time())])  # acknowledged after it
    restored = tmp_path / "restored"
    restored.mkdir()
    shutil.copy(tmp_path / "backup.db", restored / "fleet.db")
    with Database(restored) as again:
        assert kept(restored, "arm-7") == kept(tmp_path, "arm-8")
        again.store([Arrival("arm-7", batch([61], oldest=61), time.time())])
    with Reader(restored) as reader:
        record = reader.device("arm-7")
    assert (record.stored, record.lost) == (41, 20)


def test_old_rows_go_and_are_not_taken_in_again(tmp_path: Path, database: Database) -> None:
    run(tmp_path, OLD + "VACUUM;")
    seqs, events = kept(tmp_path, "arm-7")
    assert (min(seqs), max(seqs), events) == (21, 39, 1)
    again = database.store([Arrival("arm-7", batch(range(1, 41)), time.time())])
    assert again == (Watermark("arm-7", STREAM, 40, True),)
    assert kept(tmp_path, "arm-7") == (seqs, 1)
    with Reader(tmp_path) as reader:
        record = reader.device("arm-7")
    assert (record.stored, record.lost, record.models[0].slots[0].version) == (40, 0, "1.0.0")


def test_a_device_that_is_gone_leaves_nothing_and_no_other_is_touched(
    tmp_path: Path, database: Database
) -> None:
    before = kept(tmp_path, "arm-8")
    run(tmp_path, GONE)
    with closing(sqlite3.connect(tmp_path / "fleet.db")) as connection:
        assert "arm-7" not in "".join(connection.iterdump())
        (orphans,) = connection.execute(
            "SELECT count(*) FROM predictions WHERE stream NOT IN (SELECT id FROM streams)"
        ).fetchone()
    assert orphans == 0
    assert kept(tmp_path, "arm-8") == before
    marks = database.store([Arrival("arm-7", batch([41], oldest=41), time.time())])  # it is back
    assert marks == (Watermark("arm-7", STREAM, 41, True),)
    with Reader(tmp_path) as reader:
        assert reader.device("arm-7").stored == 1
