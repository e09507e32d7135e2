"""Messages of a sensor in, windows for a model out: the one object that two threads meet at."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_runtime.stream.decode import decode
from edge_runtime.stream.journal import COUNTERS, Rows, SampleRing
from edge_runtime.stream.order import Order
from edge_runtime.stream.window import Cursor, Due, Geometry, Span, due, waiting


@dataclass(frozen=True)
class Patience:
    """How long a missing sample is waited for, in seconds.

    `after_reconnect_s`: a broker may take until its own acknowledgement time-out to send again what
    was in flight when the connection broke.
    """

    wait_s: float
    after_reconnect_s: float


@dataclass(frozen=True)
class Windows:
    """Windows due now: rows float32 (n, length, channels). `dropped` ones were overwritten unseen.

    `begin` is where the first of them begins, `cursor` where the next one after them does.
    """

    spans: tuple[Span, ...]
    rows: Rows
    begin: Cursor
    cursor: Cursor
    dropped: int


class SampleStream:
    """One sensor's samples. `take` is called by the thread that hears the broker: when it returns,
    the samples are in the ring, and only then may the message be acknowledged."""

    def __init__(
        self, ring: SampleRing, channels: Sequence[str], geometry: Geometry, patience: Patience
    ) -> None:
        self._ring = ring
        self._order = Order(ring)
        self._channels = tuple(channels)
        self._geometry = geometry
        self._patience = patience
        self._changed = threading.Condition()
        self._rejected: Counter[str] = Counter()
        self._up_since: float | None = None
        self._stuck: tuple[int, float] | None = None
        self._woken = False
        self._closed = False
        self._counters = dict.fromkeys(COUNTERS, 0)
        self._needed = 0  # nobody waits for less than this many samples

    @property
    def id(self) -> str:
        """Names the ring: a Cursor means something in this ring only."""
        return self._ring.id

    def take(self, payload: bytes) -> None:
        """Take in one message; what cannot be used is dropped and counted."""
        decoded = decode(payload, self._channels)
        with self._changed:
            for block in decoded.blocks:
                self._order.take(block)
            if decoded.rejected:
                self._rejected.update(decoded.rejected)
                self._ring.tally("rejected", sum(decoded.rejected.values()))
            if self._ring.count >= self._needed:
                self._changed.notify_all()

    def connected(self, up: bool) -> None:
        """Note that the sensor's broker was reached, or lost; nothing is given up while it is away."""
        with self._changed:
            self._up_since = time.monotonic() if up else None
            self._stuck = None

    def next_windows(self, cursor: Cursor, limit: int, timeout_s: float) -> Windows:
        """The windows from `cursor` on, at most `limit`; none after `timeout_s` or `wake`."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                self._lose_patience()
                runs = self._ring.runs(since=cursor.run + 1)
                found = due(runs, cursor, self._ring.oldest, self._geometry, limit)
                left = deadline - time.monotonic()
                if found.spans or left <= 0 or self._woken:
                    self._woken = False
                    return self._windows(found)
                self._needed = found.cursor.next + self._geometry.length
                self._changed.wait(min(left, 0.25))

    def waiting(self, cursor: Cursor) -> int:
        """How many windows from `cursor` on could be run by now; none once it is closed."""
        with self._changed:
            if self._closed:
                return 0
            return waiting(self._ring.runs(since=cursor.run + 1), cursor, self._geometry)

    def wake(self) -> None:
        """Make `next_windows` return."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def counters(self) -> dict[str, int]:
        """Samples so far, in the life of the ring: taken, duplicates, late, missing, rejected."""
        with self._changed:
            if not self._closed:
                self._counters = self._ring.counters()
            return dict(self._counters)

    def rejected(self) -> Counter[str]:
        """What was rejected since the last call, by reason."""
        with self._changed:
            rejected, self._rejected = self._rejected, Counter()
            return rejected

    def close(self) -> None:
        """Let go of the ring; nothing may be taken in any more."""
        with self._changed:
            self._counters = self._ring.counters()
            self._closed = True
            self._ring.close()

    def _windows(self, found: Due) -> Windows:
        length, spans = self._geometry.length, found.spans
        rows = np.zeros((len(spans), length, self._ring.channels), np.float32)
        for index, span in enumerate(spans):
            rows[index] = self._ring.copy(span.start, span.start + length)
        begin = Cursor(spans[0].after.run, spans[0].start) if spans else found.cursor
        return Windows(spans, rows, begin, found.cursor, found.dropped)

    def _lose_patience(self) -> None:
        """Give up a gap that nothing has come to fill."""
        if self._up_since is None or not self._order.waiting:
            self._stuck = None
            return
        now, count = time.monotonic(), self._ring.count
        if self._stuck is None or self._stuck[0] != count:
            self._stuck = (count, now)
        ends = max(
            self._stuck[1] + self._patience.wait_s, self._up_since + self._patience.after_reconnect_s
        )
        if now >= ends:
            self._order.give_up()
            self._stuck = None
