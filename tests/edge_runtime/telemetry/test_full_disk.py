"""An outbox whose disk takes no more while it runs: rows go to memory, and back once there is room."""

import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from edge_runtime.mqtt import Broker, Link
from edge_runtime.telemetry.messages import Event, Topics
from edge_runtime.telemetry.outbox import Outbox
from edge_runtime.telemetry.outbox_file import DiskError
from edge_runtime.telemetry.publisher import Publisher
from tests.edge_runtime.telemetry.collector import Collector, Store
from tests.edge_runtime.telemetry.rows import event, predictions
from tests.support import small_disk
from tests.support.brokers import Mosquitto
from tests.support.faulty_disk import unreadable
from tests.support.full_disk import files_of_at_most
from tests.support.outbox_rows import chunks_of, rows_of
from tests.support.waiting import wait_for

CHECKOUT = Path(__file__).parents[3]


class Rig:
    """An outbox, what it said of itself, and a disk that can be full."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[str] = []
        self.outbox = self.open()

    def open(self, **options: int) -> Outbox:
        def hear(told: Event) -> None:
            self.told.append(told.event)

        return Outbox(self.path, boot_id="boot", on_event=hear, **options)

    @contextmanager
    def full(self) -> Iterator[None]:
        """Not one byte more than the write-ahead log has."""
        with files_of_at_most(Path(f"{self.path}-wal").stat().st_size):
            yield

    def try_the_disk_again(self) -> None:
        if self.outbox._disk_again_s < math.inf:
            self.outbox._disk_again_s = 0.0  # half a minute later
        self.outbox.recall("place")

    def numbers(self) -> list[tuple[str, int, int]]:
        """Stream, first and last number of each chunk that would be sent."""
        return [(each.stream, each.first, each.last) for each in chunks_of(self.outbox)]

    def names(self) -> list[str]:
        return [row.event if isinstance(row, Event) else row.segment for row in rows_of(self.outbox)]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path / "outbox" / "outbox.db")
    with rig.outbox:
        yield rig


def test_rows_go_on_in_memory_behind_those_on_the_disk_and_go_there_in_their_stream(rig: Rig) -> None:
    rig.outbox.append([event("one")], meta={"place": b"1", "other": b"kept"})
    first = rig.outbox.stream
    with rig.full():
        assert rig.outbox.append([event("two")], meta={"place": b"2"}) == 2
        assert rig.outbox.append([event("three")]) == 3
        second = rig.outbox.stream
        assert second != first
        assert rig.numbers() == [(first, 1, 1), (second, 1, 3)]
        assert rig.outbox.counts().rows == 4
        assert (rig.outbox.recall("place"), rig.outbox.recall("other")) == (b"2", b"kept")
        rig.try_the_disk_again()
        assert rig.told == ["rows in memory only"]
    rig.try_the_disk_again()
    assert rig.told == ["rows in memory only", "rows on the disk again"]
    assert rig.outbox.append([event("four")]) == 5
    rig.outbox.close()
    rig.outbox = rig.open()
    assert rig.numbers() == [(first, 1, 1), (second, 1, 5)]
    assert rig.names() == [
        "one",
        "rows in memory only",
        "two",
        "three",
        "rows on the disk again",
        "four",
    ]
    assert (rig.outbox.recall("place"), rig.outbox.recall("other")) == (b"2", b"kept")


def test_going_to_memory_and_back_is_no_opening(rig: Rig) -> None:
    rig.outbox.close()
    rig.outbox = rig.open()
    with rig.full():
        rig.outbox.append([event()])
        assert rig.outbox.boot == 2
    rig.try_the_disk_again()
    assert rig.told == ["rows in memory only", "rows on the disk again"]
    assert rig.outbox.boot == 2


def test_what_the_fleet_acknowledges_meanwhile_goes_from_memory_and_later_from_the_disk(
    rig: Rig,
) -> None:
    rig.outbox.append(predictions(3))
    first = rig.outbox.stream
    with rig.full():
        rig.outbox.append(predictions(3))
        assert rig.outbox.acknowledge(rig.outbox.stream, 3) == 3
        with pytest.raises(DiskError, match="the disk does not take the write"):
            rig.outbox.acknowledge(first, 3)
        assert rig.outbox.counts().rows == 4
    rig.try_the_disk_again()
    assert rig.outbox.acknowledge(first, 3) == 3
    assert rig.numbers() == [(rig.outbox.stream, 4, 5)]


def test_an_acknowledgement_that_the_disk_does_not_take_ends_no_row(rig: Rig) -> None:
    """A row is deleted by writing that it is."""
    rig.outbox.append(predictions(3))
    with rig.full(), pytest.raises(DiskError):
        rig.outbox.acknowledge(rig.outbox.stream, 3)
    assert rig.told == ["rows in memory only"]
    assert rig.outbox.counts().rows == 4


KILLED = """
import os, sys
from pathlib import Path
from edge_runtime.telemetry.messages import Event
from edge_runtime.telemetry.outbox import Outbox
from tests.support.full_disk import files_of_at_most
path, row = Path(sys.argv[1]), Event(seq=0, time=0.0, event="worker died")
outbox = Outbox(path, boot_id="boot")
outbox.append([row])
with files_of_at_most(Path(f"{path}-wal").stat().st_size):
    outbox.append([row])
print(outbox.stream, flush=True)
os._exit(0)
"""


def test_numbers_that_only_memory_knew_are_given_to_no_other_row(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    command = [sys.executable, "-c", KILLED, str(path)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    with Outbox(path, boot_id="boot") as after:
        assert after.append([event()]) == 2
        assert done.stdout.strip() not in [chunk.stream for chunk in chunks_of(after)]


def test_one_that_came_from_memory_is_gone_on_in_until_it_is_closed(rig: Rig) -> None:
    """A failing card may have what it said it has not: then memory gave numbers behind those there."""
    with rig.full():
        rig.outbox.append([event()])
    rig.try_the_disk_again()
    stream = rig.outbox.stream
    assert rig.outbox.append([event()]) == 4
    rig.outbox.close()
    rig.outbox = rig.open()
    assert rig.outbox.append([event()]) == 1
    assert rig.numbers() == [(stream, 1, 4), (rig.outbox.stream, 1, 1)]


def test_a_disk_with_room_for_what_was_in_memory_and_no_more_has_the_next_kept_in_memory(
    rig: Rig,
) -> None:
    with rig.full():
        rig.outbox.append([event("one")])
    first, log_bytes = rig.outbox.stream, Path(f"{rig.path}-wal").stat().st_size
    while "rows on the disk again" not in rig.told:
        log_bytes += 1024  # a page
        with files_of_at_most(log_bytes):
            rig.try_the_disk_again()
    assert rig.told == ["rows in memory only", "rows on the disk again", "rows in memory only"]
    second = rig.outbox.stream
    assert rig.numbers() == [(first, 1, 2), (second, 1, 1)]
    rig.try_the_disk_again()
    assert rig.told[3:] == ["rows on the disk again"]
    assert rig.numbers() == [(first, 1, 2), (second, 1, 2)]


def test_each_time_begins_a_stream_and_empty_ones_are_not_kept(rig: Rig) -> None:
    streams = [rig.outbox.stream]
    for _ in range(3):
        with rig.full():
            rig.outbox.append([event()])
            streams.append(rig.outbox.stream)
            rig.outbox.acknowledge(streams[-1], 2)
        rig.try_the_disk_again()
        rig.outbox.acknowledge(streams[-1], 3)
    assert len(set(streams)) == 4
    assert rig.outbox.position(streams[1], 1) is None
    assert rig.outbox.append([event()]) == 4


def test_beyond_the_bound_the_oldest_in_memory_are_dropped_and_counted_for_good(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "outbox" / "outbox.db")
    rig.outbox.close()
    rig.outbox = rig.open(max_bytes=20_000)
    rig.outbox.append([event("on the disk")])
    with rig.full():
        rig.outbox.append(predictions(30))
        rig.outbox.append(predictions(50))
        dropped = rig.outbox.counts().dropped
        assert rig.names()[0] == "on the disk"
        assert dropped > 0
    rig.try_the_disk_again()
    counts = rig.outbox.counts()
    assert counts.dropped >= dropped
    assert counts.dropped + counts.rows == counts.last_seq + 1
    rig.outbox.close()
    rig.outbox = rig.open()
    with rig.outbox:
        assert (rig.outbox.counts().rows, rig.outbox.counts().dropped) == (counts.rows, counts.dropped)


def test_closing_is_the_last_try(rig: Rig) -> None:
    with rig.full():
        rig.outbox.append([event("in memory")])
    rig.outbox.close()
    rig.outbox = rig.open()
    assert rig.names() == ["rows in memory only", "in memory", "rows on the disk again"]


def test_a_file_that_breaks_meanwhile_takes_no_row_of_memory_along(rig: Rig) -> None:
    rig.outbox.append(predictions(20_000))  # more than SQLite keeps in memory
    rig.outbox.close()
    rig.outbox = rig.open()
    with rig.full():
        rig.outbox.append([event("in memory")])
    stream = rig.outbox.stream
    with rig.path.open("r+b") as file:  # behind our back, all pages but the first
        file.seek(4096)
        file.write(os.urandom(rig.path.stat().st_size - 4096))
    after = 0
    while chunk := rig.outbox.read(after):
        after = chunk.position
    for _ in range(4):
        rig.try_the_disk_again()
    assert rig.told[0] == "rows in memory only"
    assert sorted(rig.told[1:]) == ["outbox broken", "rows on the disk again"]
    assert rig.outbox.stream == stream
    assert rig.outbox.read(after - 1) is not None, "positions are as they were"
    assert [name for name in rig.names() if name != "outbox broken"] == [
        "rows in memory only",
        "in memory",
        "rows on the disk again",
    ]


ENDED_ON_A_FULL_DISK = """
import os, sys
from pathlib import Path
from edge_runtime.telemetry.messages import Event
from edge_runtime.telemetry.outbox import Outbox
from tests.support.small_disk import fill
path, row = Path(sys.argv[1]), Event(seq=0, time=0.0, event="worker died", detail=200 * "x")
outbox = Outbox(path)
for place in range(500):
    outbox.append([row], meta={"place": b"%d" % place})
fill(path.parents[1])
outbox.append([row], meta={"place": b"in memory"})
if sys.argv[2] == "in order":
    outbox.close()
os._exit(0)
"""
REMEMBERED = """
import sys
from pathlib import Path
from edge_runtime.telemetry.outbox import Outbox
with Outbox(Path(sys.argv[1])) as outbox:
    print(outbox.recall("place"))
"""


@pytest.mark.skipif(bool(small_disk.why_not()), reason=small_disk.why_not())
@pytest.mark.end_to_end
@pytest.mark.parametrize("how", ["in order", "by a kill"])
def test_what_a_full_disk_has_is_remembered_by_the_next_start_on_it(tmp_path: Path, how: str) -> None:
    """It stands in SQLite's log alone by then. Blocks of 1024 bytes are such a small disk's, and no page
    of the log's index, which is mapped, is whole where there are no more of them."""
    with small_disk.ext4(tmp_path, megabytes=8) as disk:
        arguments = [str(disk / "outbox" / "outbox.db"), how]
        for program in ENDED_ON_A_FULL_DISK, REMEMBERED:
            command = [sys.executable, "-c", program, *arguments]
            done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout == "b'499'\n"


@pytest.mark.skipif(bool(small_disk.why_not()), reason=small_disk.why_not())
@pytest.mark.end_to_end
def test_on_a_real_disk_that_is_full_every_row_reaches_the_fleet_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store()
    with small_disk.ext4(tmp_path, megabytes=24) as disk, Mosquitto(tmp_path / "broker") as broker:
        at = Broker("127.0.0.1", broker.port)
        rig = Rig(disk / "outbox" / "outbox.db")
        collector = Collector(at, store)
        wait_for(lambda: collector.link.connected, "the collector")
        with rig.outbox, Publisher(rig.outbox, at, Topics("dev1"), tidy_s=0.05) as publisher:
            first = rig.outbox.stream
            with appending(rig.outbox) as appended:
                wait_for(lambda: len(store.rows[first]) >= 100, "rows at the fleet")
                small_disk.fill(disk)
                wait_for(lambda: rig.told == ["rows in memory only"], "memory")
                second = rig.outbox.stream
                wait_for(lambda: len(store.rows[second]) >= 1_000, "rows from memory at the fleet")
                (disk / "filling").unlink()
                rig.try_the_disk_again()
                wait_for(lambda: len(store.rows[second]) >= 2_000, "rows from the disk at the fleet")
            wait_for(lambda: rig.outbox.counts().rows == 0, "an empty outbox")
            assert publisher.counters()["outbox_dropped"] == 0
            assert publisher.counters()["send_faults"] == 0
        collector.close()
        sent = sum(len(rows) for rows in store.rows.values())
        assert rig.told == ["rows in memory only", "rows on the disk again"]
        assert sent == appended() + 2, "all rows, and the two events"
        assert all(store.watermark(stream) == len(rows) for stream, rows in store.rows.items())
        assert set(store.rows) == {first, second}
    assert not caplog.records


@pytest.mark.end_to_end
def test_a_full_disk_keeps_rows_from_being_deleted_and_they_are_sent_once(
    rig: Rig, tmp_path: Path
) -> None:
    """Not even a new connection has them sent again."""
    store = Store()
    with Mosquitto(tmp_path / "broker") as broker:
        at = Broker("127.0.0.1", broker.port)
        collector = Collector(at, store)
        wait_for(lambda: collector.link.connected, "the collector")
        rig.outbox.append(predictions(100))
        first = rig.outbox.stream
        with ExitStack() as disk, ExitStack() as stack:
            disk.enter_context(rig.full())
            publisher = Publisher(rig.outbox, at, Topics("dev1"), tidy_s=0.05, retry_s=(0.02, 0.1))
            stack.enter_context(publisher)
            wait_for(lambda: rig.told == ["rows in memory only"], "memory")
            wait_for(lambda: rig.outbox.counts().rows == 100, "that event at the fleet")
            births = len(store.statuses)
            with Link(at, client_id="edge-dev1") as another:
                wait_for(lambda: another.connected, "another in its place")
            wait_for(lambda: len(store.statuses) > births, "a new connection")
            rig.outbox.append([event()])
            wait_for(lambda: rig.outbox.counts().rows == 100, "what came at the fleet")
            disk.close()
            wait_for(lambda: rig.outbox.counts().rows == 0, "the disk to let go of them")
        collector.close()
    assert sorted(store.rows[first]) == list(range(1, 101))
    assert store.duplicates == 0


@pytest.mark.end_to_end
def test_rows_that_could_not_be_read_for_a_while_are_sent_once_they_can(
    rig: Rig, tmp_path: Path
) -> None:
    store = Store()
    rig.outbox.append(predictions(20_000))  # more than SQLite keeps in memory
    rig.outbox.close()
    rig.outbox = rig.open()
    first = rig.outbox.stream
    with Mosquitto(tmp_path / "broker") as broker:
        at = Broker("127.0.0.1", broker.port)
        collector = Collector(at, store)
        wait_for(lambda: collector.link.connected, "the collector")
        with ExitStack() as disk, ExitStack() as stack:
            disk.enter_context(unreadable(rig.path))
            publisher = Publisher(rig.outbox, at, Topics("dev1"), tidy_s=0.05, ack_timeout_s=60)
            stack.enter_context(publisher)
            wait_for(lambda: rig.told == ["rows in memory only"], "memory")
            second = rig.outbox.stream
            wait_for(lambda: second in [each.stream for each in store.statuses], "the announcement")
            rig.outbox.append([event()])
            wait_for(lambda: len(store.rows[second]) == 2, "what is in memory at the fleet")
            disk.close()
            assert len(store.rows[first]) < 20_000
            rig.try_the_disk_again()
            assert rig.told == ["rows in memory only", "rows on the disk again"]
            rig.outbox.append([event()])
            wait_for(lambda: len(store.rows[first]) == 20_000, "all rows at the fleet")
            wait_for(lambda: rig.outbox.counts().rows == 0, "an empty outbox")
            assert publisher.counters()["send_faults"] == 0
        collector.close()


@contextmanager
def appending(outbox: Outbox) -> Iterator[Callable[[], int]]:
    """Rows, without a pause; how many were taken."""
    stop, taken = threading.Event(), 0

    def append() -> None:
        nonlocal taken
        while not stop.wait(0.002):
            outbox.append(predictions(8))
            taken += 8

    thread = threading.Thread(target=append)
    thread.start()
    try:
        yield lambda: taken
    finally:
        stop.set()
        thread.join()
