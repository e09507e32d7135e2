"""The publisher: brings the outbox to the fleet, and tells it that the device lives and what it runs.

outbox ─► chunks ─► link ─► broker ─► collector
   ▲                                      │ commits
   └──────── acknowledge ◄── down/ack ◄───┘

One thread owns all state. Callbacks of the link, and the outbox, only leave a note and wake it.
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Literal

import msgspec

from edge_runtime import __version__
from edge_runtime.errors import BrokerError, StorageError
from edge_runtime.mqtt import Broker, Link, Will
from edge_runtime.telemetry.in_flight import InFlight
from edge_runtime.telemetry.messages import (
    Ack,
    ModelReport,
    Reported,
    RootReport,
    Status,
    Topics,
)
from edge_runtime.telemetry.outbox import Outbox
from edge_runtime.telemetry.outbox_file import DiskError
from edge_runtime.telemetry.outbox_rows import Chunk
from edge_runtime.telemetry.reported import fitting

log = logging.getLogger(__name__)

_LINGER_S = 0.2  # rows that come one by one are sent together
_HOLD_S = 0.5  # after a connect, the collector's word on where it is comes first
_RETRY_S = 2.0
_TELL_S = 10.0  # from one line in the log to the next, while something fails again and again

_ACK = msgspec.json.Decoder(Ack)


class Publisher:
    """Sends rows from `start` to `close`; rows leave the outbox when they are acknowledged.

    `acknowledge`: by the collector, after its commit, or merely by the broker, for those who read the
    topics without our collector. They are deleted together every `tidy_s`, for the sake of SD cards.
    `retry_s` is the link's. Callbacks: `on_up()`, `on_down(reason)`.
    """

    def __init__(
        self,
        outbox: Outbox,
        broker: Broker,
        topics: Topics,
        *,
        acknowledge: Literal["collector", "broker"] = "collector",
        software: str = f"edge-runtime {__version__}",
        ack_timeout_s: float = 10.0,
        tidy_s: float = 1.0,
        retry_s: tuple[float, float] = (0.5, 30.0),
        on_up: Callable[[], object] = lambda: None,
        on_down: Callable[[str], object] = lambda _: None,
    ) -> None:
        """Raises ConfigError when a file that `broker` names cannot be used."""
        self._outbox = outbox
        self._topics = topics
        self._by_broker = acknowledge == "broker"
        self._software = software
        self._tidy_s = tidy_s
        self._on_up = on_up
        self._on_down = on_down
        self._in_flight = InFlight(ack_timeout_s)
        self._state: tuple[tuple[ModelReport, ...], RootReport | None] | None = None
        self._counts = {"batches_sent": 0, "send_timeouts": 0, "acks_ignored": 0, "send_faults": 0}
        self._notes: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._woken = False
        self._hungry = True
        self._stopping = False
        self._up = False
        self._hold_until = 0.0
        self._send_at = 0.0
        self._tidy_at = 0.0
        self._tell_at = 0.0
        self._settled: dict[str, int] = {}
        self._announced = ("", 0)  # the stream and opening of the last status
        self._moves = 0  # of the outbox, up to which rows were read from the start
        self._reported: object = None
        self._contact_s = -math.inf
        self._link = Link(
            broker,
            client_id=f"edge-{topics.device}",
            subscriptions={} if self._by_broker else {topics.ack: 1},
            on_message=lambda _, payload, retained: self._note(self._take_message, payload, retained),
            on_up=lambda: self._note(self._take_up),
            on_down=lambda reason: self._note(self._take_down, reason),
            on_published=lambda token: self._note(self._take_published, token),
            will=lambda: Will(topics.status, self._status(online=False)),
            retry_s=retry_s,
        )
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    @property
    def connected(self) -> bool:
        return self._link.connected

    @property
    def contact_s(self) -> float:
        """When the newest rows that were acknowledged were sent, on `time.monotonic`; -inf before any.

        So whoever began later has not been heard yet. What the broker kept for us proves nothing.
        """
        return self._contact_s

    def counters(self) -> dict[str, int]:
        """What happened since the start, and what waits: for the device's metrics."""
        held = self._outbox.counts()
        return {**self._counts, "outbox_rows": held.rows, "outbox_dropped": held.dropped}

    def start(self) -> None:
        self._outbox.on_append = self._appended
        self._thread.start()
        self._link.start()

    def set_reported(self, models: Sequence[ModelReport], root: RootReport | None = None) -> None:
        """Tell the fleet what runs here, now and at every connect. Raises what `fitting` does."""
        self._state = fitting(models), root
        self._wake()

    def close(self) -> None:
        """Send what is due, say that the device goes offline, and end. Rows not acknowledged stay."""
        if self._thread.ident is not None and not self._stopping:
            self._stopping = True
            self._wake()
            self._thread.join()
            self._link.publish(self._topics.status, self._status(online=False), retain=True)
        self._outbox.on_append = lambda: None
        self._link.close()

    def __enter__(self) -> "Publisher":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _note(self, take: Callable[..., None], *values: Any) -> None:
        self._notes.append(partial(take, *values))
        self._wake()

    def _appended(self) -> None:
        if self._hungry:  # else it looks by itself before long
            self._wake()

    def _wake(self) -> None:
        with self._changed:
            self._woken = True
            self._changed.notify()

    def _run(self) -> None:
        while not self._stopping:
            wait_s = self._guarded_turn()
            with self._changed:
                if not self._woken:
                    self._changed.wait(wait_s)
                self._woken = False
        self._send_at = self._tidy_at = self._hold_until = 0.0
        self._guarded_turn()

    def _guarded_turn(self) -> float | None:
        try:
            return self._turn()
        except Exception as error:
            self._counts["send_faults"] += 1
            if time.monotonic() >= self._tell_at:
                self._tell_at = time.monotonic() + _TELL_S
                known = isinstance(error, StorageError | BrokerError)
                log.error("telemetry: %s", error if known else "a fault of ours", exc_info=not known)
        return _RETRY_S

    def _turn(self) -> float | None:
        """Do what is due; how long there is nothing to do unless somebody wakes us."""
        while self._notes:
            self._notes.popleft()()
        now_s = time.monotonic()
        deadlines: list[float] = []
        if self._settled:
            deadlines.append(self._tidy(now_s))
        if self._up:
            self._announce()
            deadlines += self._send_rows(now_s)
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _take_up(self) -> None:
        self._up = True
        self._in_flight.reconnected()
        self._announced, self._reported = ("", 0), None
        # The collector answers a birth, and the broker may have kept its last answer.
        self._hold_until = 0.0 if self._by_broker else time.monotonic() + _HOLD_S
        self._on_up()

    def _take_down(self, reason: str) -> None:
        self._up = False
        self._on_down(reason)

    def _take_message(self, payload: bytes, retained: bool) -> None:
        try:
            ack = _ACK.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._counts["acks_ignored"] += 1
            return
        # A number that we never gave is another outbox's, or a broken collector's.
        if self._outbox.position(ack.stream, ack.seq) is None:
            self._counts["acks_ignored"] += 1
            return
        self._settle(ack.stream, ack.seq, heard=not retained)
        if ack.stream == self._outbox.stream:
            self._hold_until = 0.0

    def _take_published(self, token: int) -> None:
        if self._by_broker:
            for stream, seq in self._in_flight.published(token).items():
                self._settle(stream, seq, heard=True)

    def _settle(self, stream: str, seq: int, *, heard: bool) -> None:
        if not self._settled:
            self._tidy_at = time.monotonic() + self._tidy_s
        self._settled[stream] = max(seq, self._settled.get(stream, 0))
        sent_s = self._in_flight.acknowledged(stream, seq, time.monotonic())
        if heard and sent_s is not None:
            self._contact_s = max(self._contact_s, sent_s)

    def _tidy(self, now_s: float) -> float:
        """Delete what was acknowledged, some of it at a time; later what a full disk does not let go."""
        if now_s >= self._tidy_at:
            self._tidy_at = now_s + _RETRY_S
            for stream, seq in list(self._settled.items()):
                with suppress(DiskError):
                    self._outbox.acknowledge(stream, seq)
                    del self._settled[stream]
        return self._tidy_at

    def _announce(self) -> None:
        moves = self._outbox.moves
        if self._moves != moves:
            self._in_flight.reconnected()
            self._moves = moves
        opened = self._outbox.stream, self._outbox.boot
        if self._announced != opened:
            if self._link.publish(self._topics.status, self._status(online=True), retain=True) is None:
                return
            self._announced = opened
        state = self._state
        if state is not None and state != self._reported:
            models, root = state
            reported = Reported(time=time.time(), boot=self._outbox.boot, models=models, root=root)
            payload = msgspec.json.encode(reported)
            if self._link.publish(self._topics.reported, payload, retain=True) is not None:
                self._reported = state

    def _send_rows(self, now_s: float) -> list[float]:
        """Send what there is room for; when to come back."""
        if now_s < self._hold_until:
            return [self._hold_until]
        deadline_s = self._in_flight.deadline_s
        if deadline_s is not None and now_s >= deadline_s:
            self._in_flight.time_out()
            self._counts["send_timeouts"] += 1
        if now_s >= self._send_at:
            self._hungry = True  # before the look: a row that comes behind it wakes us
            while self._in_flight.has_room:
                chunk = self._next_chunk()
                if chunk is None or not self._send(chunk):
                    break
                self._hungry = False
                self._send_at = now_s + _LINGER_S
        deadlines = [self._send_at] if now_s < self._send_at else []
        if (deadline_s := self._in_flight.deadline_s) is not None:
            deadlines.append(deadline_s)
        return deadlines

    def _next_chunk(self) -> Chunk | None:
        """The next rows that were not acknowledged: those that were may still lie there."""
        while chunk := self._outbox.read(self._in_flight.cursor):
            settled = self._settled.get(chunk.stream, 0)
            behind = self._outbox.position(chunk.stream, settled) if settled >= chunk.first else None
            if behind is None:
                return chunk
            self._in_flight.cursor = behind
        return None

    def _send(self, chunk: Chunk) -> bool:
        began_s, tokens = time.monotonic(), []
        for lane, payload in chunk.batches:
            topic = self._topics.prediction(lane) if lane else self._topics.telemetry
            token = self._link.publish(topic, payload)
            if token is None:  # the link is down, and will say so
                return False
            tokens.append(token)
        self._counts["batches_sent"] += len(tokens)
        self._in_flight.sent(chunk.stream, chunk.last, chunk.position, tokens, began_s)
        return True

    def _status(self, *, online: bool) -> bytes:
        status = Status(
            online=online,
            boot=self._outbox.boot,
            stream=self._outbox.stream,
            software=self._software,
            time=time.time(),
        )
        return msgspec.json.encode(status)
