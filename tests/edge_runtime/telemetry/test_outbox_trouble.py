"""The outbox when its process is killed, the power goes, the disk is full or the file is broken."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from edge_runtime.errors import StorageError
from edge_runtime.telemetry.messages import Batch, Event
from edge_runtime.telemetry.outbox import Outbox
from edge_runtime.telemetry.outbox_file import OutboxFile
from edge_runtime.telemetry.outbox_rows import OutboxRows
from edge_runtime.telemetry.row_json import encode_row
from edge_runtime.telemetry.rows_in_memory import RowsInMemory
from tests.edge_runtime.telemetry.rows import event, predictions
from tests.support.faulty_disk import faults
from tests.support.outbox_rows import chunks_of, events_by_name, rows_of

CHECKOUT = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def events(outbox: Outbox, after: int = 0) -> list[Event]:
    chunk = outbox.read(after)
    assert chunk is not None
    rows = [row for _, payload in chunk.batches for row in msgspec.json.decode(payload, type=Batch).rows]
    return [row for row in rows if isinstance(row, Event)]


APPEND_FOR_EVER = """
import sys
from pathlib import Path
from edge_runtime.telemetry.messages import Event
from edge_runtime.telemetry.outbox import Outbox
outbox = Outbox(Path(sys.argv[1]))
while True:
    before = outbox.counts().last_seq
    last = outbox.append([Event(seq=0, time=0.0, event="x" * 200)] * 3, meta={"last": b"%d" % before})
    sys.stdout.write(f"{last}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("told", [1, 300])
def test_every_append_that_returned_is_there_after_a_sigkill(path: Path, told: int) -> None:
    command = [sys.executable, "-c", APPEND_FOR_EVER, str(path)]
    last = 0
    for _ in range(3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(told):
                last = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            last = max([last, *map(int, writer.stdout.read().split())])
        with Outbox(path) as outbox:
            counts = outbox.counts()
            assert last <= counts.last_seq <= last + 3
            assert counts.rows == counts.last_seq
            assert outbox.recall("last") == b"%d" % (counts.last_seq - 3), "rows and meta are one"


def test_rows_that_a_power_cut_took_do_not_lend_their_numbers_to_others(
    path: Path, tmp_path: Path
) -> None:
    """What had not reached the disk is the write-ahead log, from some point on; here all of it."""
    after = tmp_path / "after" / "outbox.db"
    after.parent.mkdir()
    with Outbox(path, boot_id="before") as outbox:
        outbox.append(predictions(3))
    with Outbox(path, boot_id="before") as outbox:
        stream = outbox.stream
        outbox.append([event("sent, then lost with the power")])
        shutil.copy(path, after)  # without its -wal
    with Outbox(after, boot_id="after") as outbox:
        assert outbox.counts().rows == 3
        assert outbox.append([event("another")]) == 1
        assert outbox.stream != stream


def _folder_made_anew(copy: Path, folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)


def _files_written_over(copy: Path, folder: Path) -> None:
    """As `cp -a` does."""
    for file in copy.iterdir():
        shutil.copy2(file, folder / file.name)


def _changed_files_replaced(copy: Path, folder: Path) -> None:
    """As `rsync -a` does, which leaves the lock alone."""
    shutil.copy2(copy / "outbox.db", folder / "new")
    (folder / "new").replace(folder / "outbox.db")


def _outbox_removed_first(copy: Path, folder: Path) -> None:
    """Lock and all: ext4 gives the next file the inode of one that is gone."""
    for file in folder.glob("outbox.db*"):
        file.unlink()
    shutil.copy2(copy / "outbox.db", folder)


@pytest.mark.parametrize(
    "restore",
    [_folder_made_anew, _files_written_over, _changed_files_replaced, _outbox_removed_first],
)
def test_a_copy_that_is_restored_without_a_boot_gives_no_number_again(
    path: Path, tmp_path: Path, restore: Callable[[Path, Path], None]
) -> None:
    path = path.parent / "data" / path.name
    with Outbox(path, boot_id="boot") as outbox:
        outbox.append(predictions(3))
        before = outbox.stream
    shutil.copytree(path.parent, tmp_path / "copy")
    with Outbox(path, boot_id="boot") as outbox:
        assert outbox.append([event("sent, and not in the copy")]) == 4
        assert outbox.stream == before
    restore(tmp_path / "copy", path.parent)

    with Outbox(path, boot_id="boot") as outbox:
        assert outbox.append([event("another")]) == 1
        after = outbox.stream
        assert [(chunk.stream, chunk.last) for chunk in chunks_of(outbox)] == [(before, 3), (after, 1)]
    with Outbox(path, boot_id="boot") as outbox:
        assert outbox.append([event("one more")]) == 2
        assert outbox.stream == after


FULL_FROM_THE_START = """
import resource, sys
from pathlib import Path
from edge_runtime.telemetry import outbox as module
from edge_runtime.telemetry.messages import Event
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
told = []
outbox = module.Outbox(Path(sys.argv[1]), on_event=told.append)
print(told[-1].detail, outbox.recall("place"))
first = outbox.stream
outbox.append([Event(seq=0, time=0.0, event="kept in memory")], meta={"place": b"two"})
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
outbox.acknowledge(first, 1)
outbox._disk_again_s = 0.0  # half a minute later
print(outbox.append([Event(seq=0, time=0.0, event="on the disk")]))
assert outbox.stream == first
assert [event.event for event in told] == ["rows in memory only", "rows on the disk again"]
"""


def test_on_a_disk_that_is_full_when_it_is_opened_rows_are_kept_in_memory_until_there_is_room(
    path: Path,
) -> None:
    with Outbox(path) as before:
        before.append([event()], meta={"place": b"one"})
    found = subprocess.run(
        [sys.executable, "-c", FULL_FROM_THE_START, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stderr == ""
    assert "the disk does not take the write" in found.stdout
    assert "Rows are kept in memory meanwhile, at most 8 MiB of them. b'one'\n4\n" in found.stdout
    with Outbox(path) as after:
        old = after.read(0)
        assert old is not None
        new = after.read(old.position)
        assert new is not None
        told = [(row.seq, row.event) for row in events(after, old.position)]
        assert told == [(2, "kept in memory"), (3, "rows on the disk again"), (4, "on the disk")]
        assert len({old.stream, new.stream, after.stream}) == 3
        assert after.position(new.stream, 4) == new.position
        assert after.append([event()]) == 1
        assert after.recall("place") == b"two"


FAILED_SYNC = """
import json, os, sys
from pathlib import Path
from edge_runtime.telemetry.messages import Event
from edge_runtime.telemetry.outbox import Outbox
from tests.support.full_disk import files_of_at_most
from tests.support.outbox_rows import events_by_name
path, told = Path(sys.argv[1]), []
outbox = Outbox(path, boot_id="boot", on_event=lambda event: told.append(event.event))
with files_of_at_most(Path(f"{path}-wal").stat().st_size):
    outbox.append([Event(seq=0, time=0.0, event="in memory")])
outbox._disk_again_s = 0.0  # half a minute later
for number in range(3):
    outbox.append([Event(seq=0, time=0.0, event=f"later {number}")])
print(json.dumps([told, events_by_name(outbox)]), flush=True)
os._exit(0)
"""


def test_a_card_that_failed_the_last_sync_and_has_the_rows_has_none_by_the_name_of_another(
    path: Path,
) -> None:
    """What the log had before the sync is found at the next opening; memory went on meanwhile."""
    log = path.with_name(f"{path.name}-wal")
    opening = 2  # syncs: of the log's head, and of the opening
    card = faults("fsync,fdatasync", "EIO", when=f"{opening + 1}+", paths=[log])
    command = [*card, sys.executable, "-c", FAILED_SYNC, str(path)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    told, sent = json.loads(done.stdout)
    assert told == ["rows in memory only"]
    with Outbox(path, boot_id="boot") as outbox:
        found = events_by_name(outbox)
    assert "in memory" in found.values(), "the file has what it said it has not"
    assert found.items() <= sent.items()


def test_what_a_card_has_of_tries_that_it_failed_is_there_once(path: Path) -> None:
    """The file is opened for each try: it finds what the one before is said not to have done."""

    def opened() -> OutboxRows:
        return OutboxRows(OutboxFile(path), 10_000_000, "boot")

    disk, memory = opened(), RowsInMemory(path, 10_000_000, "boot", None)
    disk.append([event("on the disk")], {})
    disk.close()
    for name in ("one", "two", "three"):
        memory.append([event(name)], {})
        disk = opened()
        disk.adopt(memory)
        disk.close()
    stream = memory.stream.name
    with Outbox(path, boot_id="boot") as outbox:
        found = [row.event for row in rows_of(outbox) if isinstance(row, Event)]
        assert found == ["on the disk", "one", "two", "three"]
        assert outbox._rows.used_bytes == disk.used_bytes
        assert outbox._rows.rows == disk.rows
        assert outbox.acknowledge(stream, 3) == 3
        assert outbox.counts().rows == 1


def test_what_an_older_agent_left_twice_of_one_stream_is_sent_once_by_the_numbers_that_memory_gave(
    path: Path,
) -> None:
    """It wrote each try behind what a card had of the one before, with an event that told of the try."""
    with Outbox(path, boot_id="boot") as outbox:
        outbox.append([event("one"), event("rows on the disk again")])
        stream = outbox.stream
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("INSERT INTO streams VALUES (2, ?, '')", (stream,))
        for number, name in enumerate(["one", "two", "rows on the disk again"], 1):
            row = (2 + number, "", encode_row(event(name), number))
            file.execute("INSERT INTO rows VALUES (?, ?, ?)", row)
    with Outbox(path, boot_id="boot") as outbox:
        outbox.append([event("next")])
        rows = [(row.seq, row.event) for row in rows_of(outbox) if isinstance(row, Event)]
        assert rows == [(1, "one"), (2, "two"), (3, "rows on the disk again"), (1, "next")]
        assert outbox.position(stream, 3) == 5
        assert outbox.acknowledge(stream, 3) == 3
        assert outbox.acknowledge(outbox.stream, 1) == 1
        assert (outbox._rows.rows, outbox._rows.used_bytes) == (0, 0)
        assert outbox.counts().dropped == 0


def test_where_the_second_of_them_has_no_row_no_position_is_given_again(path: Path) -> None:
    with Outbox(path, boot_id="boot") as outbox:
        outbox.append([event("one")])
        stream = outbox.stream
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("INSERT INTO streams VALUES (1, ?, '')", (stream,))
    with Outbox(path, boot_id="boot") as outbox:
        assert outbox.counts().rows == 0
        assert outbox.append([event("next")]) == 1
        assert outbox.position(outbox.stream, 1) == 2


@pytest.mark.parametrize("content", [b"this is no database", b"\0" * 8192, None])
def test_a_file_that_is_no_outbox_is_put_aside_and_told(path: Path, content: bytes | None) -> None:
    if content is None:  # a database, but somebody else's
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE theirs (x)")
        other.close()
    else:
        path.write_bytes(content)
    with Outbox(path) as outbox:
        (told,) = events(outbox)
        assert (told.event, told.seq) == ("outbox broken", 1)
        assert "outbox.db.corrupt-1" in told.detail
        assert outbox.append([event()]) == 2
    assert path.with_name("outbox.db.corrupt-1").exists()


def test_damage_that_shows_at_work_is_survived_and_the_stream_is_another(path: Path) -> None:
    with Outbox(path) as outbox:
        outbox.append(predictions(20_000))  # more than SQLite keeps in memory
        stream = outbox.stream
    with Outbox(path) as outbox:
        with path.open("r+b") as file:  # behind our back, all pages but the first
            file.seek(4096)
            file.write(os.urandom(path.stat().st_size - 4096))
        after = 0
        while chunk := outbox.read(after):
            after = chunk.position
        assert outbox.append([event()]) == 2
        assert outbox.stream != stream
        assert [row.event for row in events(outbox)] == ["outbox broken", "worker died"]


BREAKS_AT_WORK = """
import os, sys
from pathlib import Path
from edge_runtime.telemetry.outbox import Outbox
from tests.edge_runtime.telemetry.rows import event, predictions
from tests.support.outbox_rows import chunks_of, events_by_name
path, told = Path(sys.argv[1]), []
with Outbox(path) as outbox:
    outbox.append(predictions(20_000))
outbox = Outbox(path, on_event=lambda event: told.append(event.event))
with path.open("r+b") as file:
    file.seek(4096)
    file.write(os.urandom(path.stat().st_size - 4096))
list(chunks_of(outbox))
outbox.append([event("one")])
while "rows on the disk again" not in told:
    outbox._disk_again_s = 0.0  # half a minute later
    outbox.append([event("later")])
print(*events_by_name(outbox).values(), sep=", ")
"""


@pytest.mark.parametrize(
    ("fault", "rows"),
    [
        (
            ("rename", "EROFS", "1..2", "outbox.db"),
            "rows in memory only, one, later, outbox broken, later, rows on the disk again, later",
        ),
        (
            ("openat", "EACCES", "3..4", "outbox.db.lock"),
            "rows in memory only, outbox broken, one, later, rows on the disk again, later",
        ),
    ],
    ids=["it cannot be put aside", "none can be made in its place"],
)
def test_damage_that_shows_where_the_disk_refuses_more_than_that_costs_no_row_that_comes(
    path: Path, fault: tuple[str, str, str, str], rows: str
) -> None:
    call, error, when, file = fault
    disk = faults(call, error, when=when, paths=[path.with_name(file)])
    command = [*disk, sys.executable, "-c", BREAKS_AT_WORK, str(path)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout == rows + "\n"
    assert [file.name for file in path.parent.glob("*.corrupt-*")] == ["outbox.db.corrupt-1"]


def test_one_that_was_closed_says_so_and_its_file_is_left_alone(path: Path) -> None:
    outbox = Outbox(path)
    outbox.append([event()])
    outbox.close()
    for act in (
        lambda: outbox.append([event()]),
        lambda: outbox.read(0),
        lambda: outbox.recall("place"),
        lambda: outbox.acknowledge(outbox.stream, 1),
    ):
        with pytest.raises(StorageError, match="closed"):
            act()
    outbox.close()
    assert not list(path.parent.glob("*.corrupt-*"))
    with Outbox(path) as again:
        assert again.counts().rows == 1


def test_only_the_last_broken_files_are_kept(path: Path) -> None:
    for number in range(5):
        path.write_bytes(b"broken %d" % number + b" " * 1000)
        Outbox(path).close()
    names = sorted(found.name for found in path.parent.glob("*corrupt*"))
    assert names == [f"outbox.db.corrupt-{number}" for number in (3, 4, 5)]


def test_an_outbox_of_a_newer_version_is_left_alone(path: Path) -> None:
    Outbox(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StorageError, match="newer edge-runtime"):
        Outbox(path)
    assert not list(path.parent.glob("*corrupt*"))


def test_a_folder_that_cannot_be_had_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match="file"):
        Outbox(tmp_path / "file" / "outbox.db")


def test_a_making_that_a_power_cut_undid_is_begun_again_and_nothing_is_told_broken(path: Path) -> None:
    """SQLite leaves a file with no table in it: its journal had the emptiness from before."""
    with sqlite3.connect(path) as database:
        database.execute("VACUUM")  # writes the header of a database without tables
    database.close()
    assert path.stat().st_size > 0

    with Outbox(path) as outbox:
        assert outbox.counts().rows == 0
    assert not list(path.parent.glob("*.corrupt-*"))
