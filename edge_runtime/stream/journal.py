"""A ring of recent samples in a memory-mapped file: what a killed agent finds again.

Pages of a shared mapping belong to the kernel, so they outlive a SIGKILL of the process; they need not
outlive a power cut, hence the header names the boot it was written in and another boot's is discarded.
Every change is ordered so that a process killed between any two stores leaves a ring that can be gone
on with: rows before the counter that makes them visible, a run's record before its count.

Positions count samples from 0 for the ring's whole life; sample `p` lies in row `p % capacity`. Below
`count` everything is settled; from `count` to `high` lie samples that came early, each with a mark.
A **run** is an unbroken stretch of samples whose numbers follow each other.
"""

import fcntl
import hashlib
import math
import mmap
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from edge_runtime.boot import boot_id
from edge_runtime.errors import StorageError

Rows = npt.NDArray[np.float32]
Times = npt.NDArray[np.float64]

RUNS = 256
MAX_SEGMENT_BYTES = 64
COUNTERS = ("taken", "duplicates", "late", "missing", "rejected")
_MAGIC = b"edgering"
_HEADER_BYTES = 512
_MAX_COUNT = 1 << 53
_INTEGERS = ("count", "high", "runs", "segments", *COUNTERS)
_HEADER = np.dtype(
    [("magic", "S8"), ("boot", "S40"), ("id", "S16"), ("geometry", "S64")]
    + [(name, "<i8") for name in _INTEGERS]
)
_RUN = np.dtype(
    [(name, "<i8") for name in ("start", "seq", "previous_end", "numbered", "named")]
    + [("segment", f"S{MAX_SEGMENT_BYTES}")]
)


@dataclass(frozen=True)
class Run:
    """Samples `start` to `end` (exclusive) of the ring; the first one has the number `seq`.

    `numbered`: the sensor numbers its samples itself. `named`: it names its segments itself.
    The newest run's `end` still grows.
    """

    segment: str
    named: bool
    numbered: bool
    seq: int
    start: int
    end: int


class SampleRing:
    """Recent samples, float32 (capacity, channels). One writer; the caller locks against readers.

    `buffer` is writable memory of `ring_bytes(...)` bytes; `release` lets go of it.
    """

    def __init__(
        self, buffer: mmap.mmap, capacity: int, channels: int, release: Callable[[], None]
    ) -> None:
        self.capacity = capacity
        self.channels = channels
        self.most = capacity // 4  # samples a single append may bring
        self._release = release
        self._header = np.frombuffer(buffer, _HEADER, 1)
        self._integers = {name: self._header[name] for name in _INTEGERS}
        offset = _HEADER_BYTES
        self._runs = np.frombuffer(buffer, _RUN, RUNS, offset)
        offset += self._runs.nbytes
        self._marks = np.frombuffer(buffer, np.int64, capacity, offset)
        offset += self._marks.nbytes
        self._times = np.frombuffer(buffer, np.float64, capacity, offset)
        offset += self._times.nbytes
        self._rows = np.frombuffer(buffer, np.float32, capacity * channels, offset)
        self._rows = self._rows.reshape(capacity, channels)

    @property
    def id(self) -> str:
        """Random, new for every ring: positions of different rings are never mixed up."""
        return bytes(self._header["id"][0]).decode()

    @property
    def count(self) -> int:
        """Samples below this position are settled."""
        return int(self._integers["count"][0])

    @property
    def high(self) -> int:
        """No sample lies at or above this position."""
        return max(int(self._integers["high"][0]), self.count)

    @property
    def oldest(self) -> int:
        """The first position whose row is whole: an append that was cut short may have overwritten
        as many rows as it was to bring."""
        return max(0, self.high - self.capacity + self.most)

    def counters(self) -> dict[str, int]:
        """How many samples were taken in, dropped or missed in this ring's life."""
        return {name: int(self._integers[name][0]) for name in COUNTERS}

    def tally(self, name: str, number: int) -> None:
        self._integers[name][0] = min(int(self._integers[name][0]) + number, _MAX_COUNT)

    def runs(self, since: int = 0) -> tuple[Run, ...]:
        """The newest runs, at most 256, oldest first, back to the one that holds position `since`."""
        total = int(self._integers["runs"][0])
        runs: list[Run] = []
        for index in range(total - 1, max(-1, total - 1 - RUNS), -1):
            runs.append(self._run(index, total))
            if runs[-1].start < since:
                break
        return tuple(reversed(runs))

    def last_run(self) -> Run | None:
        total = int(self._integers["runs"][0])
        return self._run(total - 1, total) if total else None

    def begin_run(self, segment: str, seq: int, start: int, *, named: bool, numbered: bool) -> None:
        """Begin a run at `start`, at or above `count`; what came early below `start` is forgotten."""
        total = int(self._integers["runs"][0])
        self._runs[total % RUNS] = (start, seq, self.count, numbered, named, segment.encode())
        self._integers["runs"][0] = total + 1
        self._integers["count"][0] = start

    def new_segment(self) -> str:
        """A name that no other run of any ring has, for a sensor that names none itself."""
        number = int(self._integers["segments"][0])
        self._integers["segments"][0] = number + 1
        return f"{self.id[:8]}-{number}"

    def append(self, rows: Rows, times: Times) -> None:
        """Settle `rows`, float32 (n, channels) with n <= most, at `count`."""
        start = self.count
        self._write(start, rows, times)
        self._integers["count"][0] = start + len(rows)

    def put_early(self, position: int, row: Rows, time: float, *, usable: bool = True) -> None:
        """Keep one sample, float32 (channels,), above `count` until the gap before it is settled."""
        self._integers["high"][0] = max(self.high, position + 1)
        at = position % self.capacity
        self._rows[at] = row
        self._times[at] = time
        self._marks[at] = position + 1 if usable else -position - 1

    def mark(self, position: int) -> int:
        """What came early at `position`: 1 a sample, -1 an unusable one, 0 nothing (yet)."""
        if not self.count <= position < self.high:
            return 0
        mark = int(self._marks[position % self.capacity])
        return (mark == position + 1) - (mark == -position - 1)

    def marks(self) -> npt.NDArray[np.int64]:
        """The marks from `count` to `high`."""
        positions = np.arange(self.count, self.high)
        marks = self._marks[positions % self.capacity]
        return np.where(np.abs(marks) == positions + 1, np.sign(marks), 0)

    def settle(self, end: int) -> None:
        """Take in the early samples from `count` to `end`."""
        self._integers["count"][0] = end

    def copy(self, start: int, end: int) -> Rows:
        """Samples `start` to `end`, as an array of their own."""
        first, last = start % self.capacity, end % self.capacity
        if first < last or start == end:
            return self._rows[first:last].copy()
        return np.concatenate((self._rows[first:], self._rows[:last]))

    def holds(self, position: int, row: Rows, time: float) -> bool:
        """Whether the sample at `position` has this content; an unknown time (NaN) fits any."""
        at = position % self.capacity
        known = float(self._times[at])
        same_time = known == time or math.isnan(known) or math.isnan(time)
        return same_time and np.array_equal(self._rows[at], row)

    def close(self) -> None:
        """Let go of the memory; the ring cannot be used any more."""
        self._integers.clear()
        del self._header, self._runs, self._marks, self._times, self._rows
        self._release()

    def format(self, boot: bytes, geometry: bytes) -> None:
        """Make zeroed memory an empty ring."""
        self._header["boot"] = boot
        self._header["id"] = secrets.token_hex(8).encode()
        self._header["geometry"] = geometry
        self._header["magic"] = _MAGIC  # last: a half-made header is no header

    def repair(self) -> None:
        """Finish what a kill cut short: a run's record was written, the counter not yet moved."""
        if (last := self.last_run()) and self.count < last.start:
            self._integers["count"][0] = last.start

    def _write(self, start: int, rows: Rows, times: Times) -> None:
        at = start % self.capacity
        fits = min(len(rows), self.capacity - at)
        self._rows[at : at + fits] = rows[:fits]
        self._times[at : at + fits] = times[:fits]
        if fits < len(rows):
            self._rows[: len(rows) - fits] = rows[fits:]
            self._times[: len(rows) - fits] = times[fits:]

    def _run(self, index: int, total: int) -> Run:
        start, seq, _, numbered, named, segment = self._runs[index % RUNS].tolist()
        following = self._runs[(index + 1) % RUNS]
        end = int(following["previous_end"]) if index + 1 < total else max(self.count, start)
        return Run(segment.decode(), bool(named), bool(numbered), seq, start, end)


def ring_bytes(capacity: int, channels: int) -> int:
    return _HEADER_BYTES + RUNS * _RUN.itemsize + capacity * (8 + 8 + 4 * channels)


def memory_ring(capacity: int, channels: int) -> SampleRing:
    """A ring that dies with the process."""
    memory = mmap.mmap(-1, ring_bytes(capacity, channels))
    ring = SampleRing(memory, capacity, channels, memory.close)
    ring.format(b"", b"")
    return ring


def open_ring(
    path: Path,
    capacity: int,
    channels: int,
    geometry: str,
    *,
    on_broken: Callable[[str], object] = lambda _: None,
) -> SampleRing:
    """Open the journal at `path`, or make it anew if it is of another boot or another `geometry`.

    One that is broken is made anew, too; `on_broken` hears of it. Raises StorageError when the file
    cannot be had, or another process has it.
    """
    size = ring_bytes(capacity, channels)
    digest = hashlib.sha256(f"1/{capacity}/{channels}/{geometry}".encode()).hexdigest().encode()
    boot = boot_id().encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise StorageError(f"{path}: the journal cannot be opened: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = _found(descriptor, size, boot, digest)
        if found != "whole":
            os.ftruncate(descriptor, 0)
            # Without its blocks a mapping of a file on a full disk ends the process with SIGBUS.
            os.posix_fallocate(descriptor, 0, size)
        ring = _map(descriptor, size, capacity, channels)
    except BlockingIOError as error:
        os.close(descriptor)
        raise StorageError(f"{path}: another process uses this journal.") from error
    except OSError as error:
        os.close(descriptor)
        raise StorageError(
            f"{path}: no {size} bytes for the journal of recent samples: {error.strerror}."
        ) from error
    if found == "whole":
        ring.repair()
    else:
        ring.format(boot, digest)
    if found == "broken":
        on_broken(f"{path.name} was broken: samples that were not predicted yet are lost")
    return ring


def _found(
    descriptor: int, size: int, boot: bytes, geometry: bytes
) -> Literal["whole", "another", "broken"]:
    """What lies there; `another` was never begun, or is of another boot or geometry."""
    begins = os.pread(descriptor, _HEADER.itemsize, 0).ljust(_HEADER.itemsize, b"\0")
    header = np.frombuffer(begins, _HEADER, 1)[0]
    ours = header["magic"] == _MAGIC
    if not header["magic"] or (ours and (header["boot"], header["geometry"]) != (boot, geometry)):
        return "another"
    counts = all(int(header[name]) >= 0 for name in _INTEGERS)
    return "whole" if ours and counts and os.fstat(descriptor).st_size == size else "broken"


def _map(descriptor: int, size: int, capacity: int, channels: int) -> SampleRing:
    memory = mmap.mmap(descriptor, size)

    def release() -> None:
        memory.close()
        os.close(descriptor)

    return SampleRing(memory, capacity, channels, release)
