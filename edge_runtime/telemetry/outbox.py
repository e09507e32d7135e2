"""The outbox: rows kept on the device, numbered once, until the fleet has them (ADR 0008).

append ─► file ─► read ─► (publisher, broker, collector) ─► acknowledge ─► gone

Rows have a position in the outbox and a number in their stream. A stream's id is random, and a new one
begins with every new file, every boot of the machine and every copy that is put back: a power cut may
take the newest rows with it after they were sent, a copy never had them, and their numbers must never be
given to other rows.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from edge_runtime.boot import boot_id as this_boot
from edge_runtime.errors import StorageError
from edge_runtime.telemetry.messages import Event, Row
from edge_runtime.telemetry.outbox_file import (
    CorruptError,
    DiskError,
    OutboxFile,
    move_aside,
    open_to_read,
)
from edge_runtime.telemetry.outbox_rows import DELETED_AT_ONCE, Chunk, Counts, OutboxRows
from edge_runtime.telemetry.rows_in_memory import RowsInMemory

DEFAULT_MAX_BYTES = 100_000_000
_MEMORY_BYTES = 8 << 20
_DISK_AGAIN_S = 30.0

Result = TypeVar("Result")


class Outbox:
    """Thread-safe. A call returns when its change is committed.

    When the file turns out to be broken it is moved aside, a new one begins with an event that says so,
    and the call goes on there. Where the disk does not let it be opened or moved, or takes no more, rows
    are kept in memory, in a stream of their own; they go to the disk once it takes them, in that stream.
    `on_append` is called after each commit of rows.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        boot_id: str | None = None,
        on_event: Callable[[Event], object] = lambda _: None,
    ) -> None:
        """Opens or makes the file at `path`; of more than `max_bytes` of rows the oldest are dropped.

        `boot_id` names the machine's boot (default: the kernel's). `on_event` hears what becomes of the
        outbox, which is among its rows by then. Raises StorageError when the file cannot be written, or
        another process has it.
        """
        self.path = path
        self.on_append: Callable[[], object] = lambda: None
        self._on_event = on_event
        self._max_bytes = max_bytes
        self._boot_id = boot_id or this_boot()
        self._lock = threading.RLock()
        self._disk_again_s = math.inf
        self._moves = 0
        self._closed = False
        try:
            self._go_on_in(self._open())
        except CorruptError as error:
            self._go_on_in(self._begin_again(error))
        except DiskError as error:
            self._go_on_in(self._begin_in_memory(error, None))

    @property
    def stream(self) -> str:
        """The stream that rows are appended to now."""
        with self._lock:
            return self._rows.stream.name

    @property
    def boot(self) -> int:
        """How often this outbox was opened."""
        with self._lock:
            return self._rows.boot

    @property
    def moves(self) -> int:
        """Grows when rows go to memory, to the disk or to a new file: read from the start then.

        A new file counts positions anew, and the disk may have rows that could not be read for a while.
        """
        with self._lock:
            return self._moves

    def counts(self) -> Counts:
        with self._lock:
            return self._rows.counts()

    def append(self, rows: Sequence[Row], *, meta: Mapping[str, bytes] | None = None) -> int:
        """Commit `rows`, numbered anew whatever their `seq` says, and what `meta` says, together.

        Returns the last number given in the stream. Raises InputError for a row nobody would accept,
        StorageError when the disk does not take it; then nothing changed, and a later call may succeed.
        """
        last = self._do(lambda held: held.append(rows, meta or {}))
        if rows:
            self.on_append()
        return last

    def recall(self, key: str) -> bytes | None:
        """What `meta` last said under `key`."""
        return self._do(lambda held: held.recall(key))

    def read(self, after: int, *, max_rows: int = 256, max_bytes: int = 128 << 10) -> Chunk | None:
        """Rows behind position `after` (0: the oldest on), of one stream; None when there are none."""
        return self._do(lambda held: held.read(after, max_rows, max_bytes))

    def position(self, stream: str, seq: int) -> int | None:
        """Where number `seq` of `stream` is, or was; None when this outbox never gave it.

        Behind the last number here of a stream that has ended: where that is.
        """
        with self._lock:
            span = self._rows.positions(stream, seq)
            return span[1] if span else None

    def acknowledge(self, stream: str, seq: int) -> int:
        """Let go of the rows of `stream` up to `seq`; how many there were.

        Raises StorageError: DiskError while the disk does not let go of those that it holds.
        """

        def remove(held: OutboxRows) -> int:
            span = held.positions(stream, seq)
            return held.remove(*span) if span else 0

        gone = 0
        while True:  # in steps, so that an append need not wait for all
            removed = self._do(remove)
            gone += removed
            if removed < DELETED_AT_ONCE:
                return gone

    def close(self) -> None:
        """Nothing is appended, read or acknowledged afterwards: that raises StorageError."""
        with self._lock:
            self._closed = True
            if self._disk_again_s < math.inf:
                self._try_the_disk_again()  # nothing else is left to what is in memory
                self._disk_again_s = math.inf
            self._rows.close()

    def __enter__(self) -> "Outbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _do(self, act: Callable[[OutboxRows], Result]) -> Result:
        with self._lock:
            if self._closed:
                raise StorageError(f"{self.path}: this outbox was closed. Open it again.")
            if time.monotonic() >= self._disk_again_s:
                self._try_the_disk_again()
            rows = self._rows
            try:
                return act(rows)
            except CorruptError as error:
                rows.close()
                try:
                    self._go_on_in(self._begin_again(error))
                except StorageError as trouble:
                    self._go_on_in(self._begin_in_memory(trouble, None))
            except DiskError as error:
                if isinstance(rows, RowsInMemory):
                    raise
                self._go_on_in(self._begin_in_memory(error, rows))
        self.on_append()
        with self._lock:
            try:
                return act(self._rows)
            except CorruptError as again:
                raise StorageError(f"{self.path}: broken again at once: {again}.") from again

    def _go_on_in(self, rows: OutboxRows) -> None:
        self._rows = rows
        self._moves += 1

    def _open(self, *first: Row) -> OutboxRows:
        file = OutboxFile(self.path)
        try:
            rows = OutboxRows(file, self._max_bytes, self._boot_id)
            rows.append(first, {})
            return rows
        except BaseException:
            file.close()
            raise

    def _begin_again(self, why: CorruptError) -> OutboxRows:
        told = self._put_aside(why)
        try:
            return self._open(told)
        except CorruptError as error:
            raise StorageError(f"{self.path}: a new outbox is broken at once: {error}.") from error
        except StorageError as error:
            rows = self._begin_in_memory(error, None)
            rows.append([told], {})
            return rows

    def _put_aside(self, why: CorruptError) -> Event:
        """The event that says so, which is to be a row."""
        aside = move_aside(self.path)
        text = f"{self.path.name} was broken ({why}); it is now {aside.name}, its rows are not sent"
        return self._told("outbox broken", text)

    def _begin_in_memory(self, why: StorageError, disk: OutboxRows | None) -> OutboxRows:
        self._disk_again_s = time.monotonic() + _DISK_AGAIN_S
        max_bytes = min(self._max_bytes, _MEMORY_BYTES)
        rows = RowsInMemory(self.path, max_bytes, self._boot_id, disk)
        text = f"{why} Rows are kept in memory meanwhile, at most {_MEMORY_BYTES >> 20} MiB of them."
        rows.append([self._told("rows in memory only", text)], {})
        return rows

    def _try_the_disk_again(self) -> None:
        """From memory to the file, with all that is in memory."""
        self._disk_again_s = time.monotonic() + _DISK_AGAIN_S
        memory = self._rows
        assert isinstance(memory, RowsInMemory)
        try:
            disk = memory.disk or self._open()
        except CorruptError as error:
            with suppress(StorageError):
                memory.append([self._put_aside(error)], {})
            return
        except StorageError:
            return
        lost = f"{memory.dropped:,} were dropped meanwhile" if memory.dropped else ""
        again = _event("rows on the disk again", lost, memory.dropped)
        try:
            disk.adopt(memory)
        except CorruptError:
            disk.close()
            memory.disk = None  # the next try finds out what is broken
        except StorageError:
            if disk is not memory.disk:
                disk.close()
        else:
            memory.close_memory()
            self._disk_again_s = math.inf
            self._go_on_in(disk)
            self._on_event(again)
            try:
                disk.append([again], {})
            except DiskError as error:
                self._go_on_in(self._begin_in_memory(error, disk))
            except (CorruptError, StorageError):
                pass  # the next call finds that out

    def _told(self, name: str, detail: str) -> Event:
        """An event, after whoever watches has heard it."""
        event = _event(name, detail)
        self._on_event(event)
        return event


def read_counts(path: Path) -> Counts | None:
    """What the outbox at `path` holds, whoever writes to it; None when there is none.

    Raises StorageError when it cannot be read.
    """
    if not path.exists():
        return None
    try:
        with closing(open_to_read(path)) as file:
            counters = {str(name): int(value) for name, value in file.select("SELECT * FROM counters")}
            ((base, stream),) = file.select(
                "SELECT base, stream FROM streams ORDER BY base DESC LIMIT 1"
            )
            ((last, rows),) = file.select("SELECT coalesce(max(id), 0), count(*) FROM rows")
    except (CorruptError, ValueError) as error:
        raise StorageError(f"{path}: this is no outbox, or a broken one.") from error
    last_seq = max(int(last), counters.get("gone", 0)) - int(base)
    return Counts(str(stream), counters.get("boot", 0), last_seq, int(rows), counters.get("dropped", 0))


def _event(name: str, detail: str, count: int = 0) -> Event:
    return Event(seq=0, time=time.time(), event=name, detail=detail, count=count)
