"""What is in the outbox's file: streams, rows, counters, and the statements that change them.

Every change is one transaction, and the copy in memory follows only after the commit.
"""

import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec

from edge_runtime.errors import InputError
from edge_runtime.telemetry.messages import Row
from edge_runtime.telemetry.outbox_file import OutboxFile
from edge_runtime.telemetry.row_json import encode_row, lane_of

DELETED_AT_ONCE = 2_000
_ROW_BYTES = 32  # what a row costs beside its text, about; 32 in the statements, too
_TOTALS = (
    "SELECT coalesce(max(id), 0), count(*), coalesce(sum(length(body) + length(lane) + 32), 0) FROM rows"
)
_COSTS = "SELECT id, length(body) + length(lane) + 32 FROM rows"
_ANY = "SELECT 1 FROM rows WHERE id > ? AND id <= ? LIMIT 1"
_COUNT = (
    "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"
)
_RAISE = (
    "INSERT INTO counters VALUES (?, ?) "
    "ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)"
)


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of one stream, as `batches`: (lane, payload) with one lane each.

    `position` is where the next chunk begins; `first` and `last` the numbers of its ends in its stream.
    """

    stream: str
    position: int
    first: int
    last: int
    batches: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Counts:
    """What an outbox holds. `last_seq`: of the current stream; `dropped`: rows lost to the byte cap."""

    stream: str
    boot: int
    last_seq: int
    rows: int
    dropped: int


@dataclass(frozen=True)
class Stream:
    """Rows at positions above `base`, up to the next stream's; a row's number is its position - base."""

    base: int
    name: str


class _RawBatch(msgspec.Struct, frozen=True):
    """`messages.Batch` whose rows are encoded already."""

    stream: str
    oldest: int
    rows: tuple[msgspec.Raw, ...]


class OutboxRows:
    """Not thread-safe. Its methods raise StorageError and CorruptError; then nothing was changed."""

    def __init__(self, file: OutboxFile, max_bytes: int, boot_id: str) -> None:
        """Counts the opening, and begins a stream unless the newest is of this boot and this file."""
        self._file = file
        self._max_bytes = max_bytes
        self._life = f"{boot_id} {file.identity}"
        _leave_each_stream_once(file)
        counters = {str(name): int(value) for name, value in file.select("SELECT * FROM counters")}
        ((last, rows, used_bytes),) = file.select(_TOTALS)
        self.rows, self.used_bytes = int(rows), int(used_bytes)
        self.last = max(int(last), counters.get("gone", 0))
        self.dropped = counters.get("dropped", 0)
        self.boot = counters.get("boot", 0) + 1
        found = file.select("SELECT base, stream, boot_id FROM streams ORDER BY base")
        known = [Stream(int(base), str(name)) for base, name, _ in found]
        self.streams = self._begin(known, goes_on=bool(found) and found[-1][2] == self._life)

    @property
    def stream(self) -> Stream:
        """The one that rows are appended to."""
        return self.streams[-1]

    def counts(self) -> Counts:
        last_seq = self.last - self.stream.base
        return Counts(self.stream.name, self.boot, last_seq, self.rows, self.dropped)

    def append(self, rows: Sequence[Row], meta: Mapping[str, bytes]) -> int:
        """Commit rows and `meta`; the last number given. Raises InputError for a row nobody takes."""
        encoded, cost = _encoded(rows, self.last + 1, self.stream.base)
        if cost > self._max_bytes:
            raise InputError(
                f"{cost:,} bytes of rows at once: the outbox holds {self._max_bytes:,}. Append fewer."
            )
        if not encoded and not meta:
            return self.last - self.stream.base
        with self._file.transaction() as database:
            dropped, freed = self._make_room(database, cost)
            database.executemany("INSERT INTO rows VALUES (?, ?, ?)", encoded)
            database.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())
        self.last += len(encoded)
        self.rows += len(encoded) - dropped
        self.used_bytes += cost - freed
        self.dropped += dropped
        return self.last - self.stream.base

    def adopt(self, other: "OutboxRows") -> None:
        """Take over another outbox's only stream, with its rows and what it remembers, and go on in it
        until this is closed.

        The rows keep their stream and numbers, and their positions unless those are taken here. No other
        row comes with them: what fails here may be found done, and `other` gives the next numbers.
        What is found of such a try makes way: nothing came behind it here, and `other` has what is left.
        """
        (stream,) = other.streams
        again = [known.base for known in self.streams if known.name == stream.name]
        base = again[0] if again else max(self.last, stream.base)
        offset = base - stream.base
        held = other._file.select("SELECT id, lane, body FROM rows ORDER BY id")
        moved = [(int(position) + offset, lane, body) for position, lane, body in held]
        ((_, found, found_bytes),) = self._file.select(f"{_TOTALS} WHERE id > ?", base)
        cost = other.used_bytes - int(found_bytes)
        # One that begins here, too, or behind what was found, never had a row.
        known = [known for known in self.streams if known.base < base]
        streams = self._in_use([*known, Stream(base, stream.name)])
        with self._file.transaction(durable=True) as database:
            database.execute("DELETE FROM rows WHERE id > ?", (base,))
            dropped, freed = self._make_room(database, cost)
            database.execute(_COUNT, ("dropped", other.dropped))
            # No opening goes on in it, for the same reason.
            self._write_streams(database, self.streams, streams, life="")
            database.executemany("INSERT INTO rows VALUES (?, ?, ?)", moved)
            database.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", other.remembered())
        self.streams = streams
        self.last = other.last + offset
        self.rows += len(moved) - int(found) - dropped
        self.used_bytes += cost - freed
        self.dropped += other.dropped + dropped

    def read(self, after: int, max_rows: int, max_bytes: int) -> Chunk | None:
        """Rows behind `after`, of one stream; at least one, however long, if there is any."""
        query = "SELECT id, lane, body FROM rows WHERE id > ? ORDER BY id LIMIT ?"
        found = self._file.select(query, after, max_rows)
        if not found:
            return None
        at, end = self._stream_at(int(found[0][0]))
        lanes: dict[str, list[msgspec.Raw]] = {}
        size, last = 0, 0
        for position, lane, body in found:
            assert isinstance(body, bytes)
            size += len(body) + 1
            if int(position) > end or (last and size > max_bytes):
                break
            lanes.setdefault(str(lane), []).append(msgspec.Raw(body))
            last = int(position)
        oldest = self._oldest(at)
        batches = tuple(
            (lane, msgspec.json.encode(_RawBatch(at.name, oldest, tuple(bodies))))
            for lane, bodies in lanes.items()
        )
        return Chunk(at.name, last, int(found[0][0]) - at.base, last - at.base, batches)

    def positions(self, stream: str, seq: int) -> tuple[int, int] | None:
        """The first and last position of `stream` up to `seq`; None if `seq` was never given there.

        One that has ended may have given more than is known here: what a power cut took, a copy never
        had, or memory alone knew. The fleet's word on those is its word on all that is left.
        """
        for index, found in enumerate(self.streams):
            if found.name == stream:
                following = self.streams[index + 1 : index + 2]
                count = (following[0].base if following else self.last) - found.base
                if following:
                    seq = min(seq, count)
                return (found.base + 1, found.base + seq) if 0 <= seq <= count else None
        return None

    def remove(self, first: int, last: int) -> int:
        """Delete rows, at most 2,000 of them; how many."""
        query = f"{_COSTS} WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"
        found = self._file.select(query, first, last, DELETED_AT_ONCE)
        if not found:
            return 0
        end = int(found[-1][0])
        with self._file.transaction() as database:
            database.execute("DELETE FROM rows WHERE id BETWEEN ? AND ?", (first, end))
            # A position is never given again, even when the row that had the highest is gone.
            database.execute(_RAISE, ("gone", end))
        self.rows -= len(found)
        self.used_bytes -= sum(int(cost) for _, cost in found)
        return len(found)

    def recall(self, key: str) -> bytes | None:
        found = self._file.select("SELECT value FROM meta WHERE key = ?", key)
        return bytes(found[0][0]) if found else None  # type: ignore[arg-type]

    def remembered(self) -> list[tuple[int | str | bytes, ...]]:
        """All that `meta` said last, as (key, value)."""
        return self._file.select("SELECT key, value FROM meta")

    def close(self) -> None:
        self._file.close()

    def _begin(self, known: list[Stream], *, goes_on: bool) -> tuple[Stream, ...]:
        """Write what this opening changes; the streams there are now."""
        streams = known
        if not goes_on:
            # One that never had a row gives its place to its successor.
            streams = [old for old in known if old.base < self.last]
            streams.append(Stream(self.last, secrets.token_hex(8)))
        kept = self._in_use(streams)
        with self._file.transaction(durable=True) as database:
            database.execute(_COUNT, ("boot", 1))
            self._write_streams(database, known, kept, life=self._life)
        return kept

    def _in_use(self, streams: Sequence[Stream]) -> tuple[Stream, ...]:
        """Those that still have rows, and the newest."""
        ends = [following.base for following in streams[1:]]
        return (
            *(
                stream
                for stream, end in zip(streams[:-1], ends, strict=True)
                if self._file.select(_ANY, stream.base, end)
            ),
            streams[-1],
        )

    @staticmethod
    def _write_streams(
        database: sqlite3.Connection, before: Sequence[Stream], now: Sequence[Stream], *, life: str
    ) -> None:
        """`life`: of those that are new; the next opening goes on in the newest if it is of the same."""
        for stream in before:
            if stream not in now:
                database.execute("DELETE FROM streams WHERE base = ?", (stream.base,))
        for stream in now:
            if stream not in before:
                database.execute(
                    "INSERT INTO streams VALUES (?, ?, ?)", (stream.base, stream.name, life)
                )

    def _make_room(self, database: sqlite3.Connection, cost: int) -> tuple[int, int]:
        """Drop the oldest rows for `cost` bytes more; rows and bytes dropped.

        Some more than needed, or a full outbox would delete at every append.
        """
        excess = self.used_bytes + cost - self._max_bytes
        if excess <= 0:
            return 0, 0
        goal = min(excess + self._max_bytes // 64, self.used_bytes)
        dropped, freed, last = 0, 0, 0
        for position, size in database.execute(f"{_COSTS} ORDER BY id"):
            if freed >= goal:
                break
            dropped, freed, last = dropped + 1, freed + size, position
        database.execute("DELETE FROM rows WHERE id <= ?", (last,))
        database.execute(_COUNT, ("dropped", dropped))
        database.execute(_RAISE, ("gone", last))
        return dropped, freed

    def _stream_at(self, position: int) -> tuple[Stream, int]:
        """The stream of a position, and the last position it can have."""
        end = self.last
        for stream in reversed(self.streams):
            if position > stream.base:
                return stream, end
            end = stream.base
        raise AssertionError(f"position {position} is below every stream")

    def _oldest(self, stream: Stream) -> int:
        query = "SELECT id FROM rows WHERE id > ? ORDER BY id LIMIT 1"
        ((position,),) = self._file.select(query, stream.base)
        return int(position) - stream.base


def _leave_each_stream_once(file: OutboxFile) -> None:
    """In a file from before, rows of memory that a card had, though it had failed to take them, may have
    those of the next try behind them: all that were left of them by then, and what came since.
    """
    found = file.select("SELECT base, stream FROM streams ORDER BY base")
    newest = {stream: base for base, stream in found}
    spans = [(base, end) for (base, stream), (end, _) in pairwise(found) if base != newest[stream]]
    if spans:
        with file.transaction(durable=True) as database:
            database.executemany("DELETE FROM rows WHERE id > ? AND id <= ?", spans)
            database.executemany("DELETE FROM streams WHERE base = ?", [span[:1] for span in spans])
            database.execute(_RAISE, ("gone", spans[-1][1]))


def _encoded(rows: Sequence[Row], first: int, base: int) -> tuple[list[tuple[int, str, bytes]], int]:
    """Rows at positions from `first` on, numbered from `base`, as (position, lane, body); their cost."""
    encoded = [
        (position, lane_of(row), encode_row(row, position - base))
        for position, row in enumerate(rows, first)
    ]
    return encoded, sum(len(body) + len(lane) + _ROW_BYTES for _, lane, body in encoded)
