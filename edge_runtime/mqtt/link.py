"""A link to one broker that lasts: it connects, connects again, and never takes its owner down."""

import logging
import random
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from edge_runtime.errors import BrokerError, EdgeError
from edge_runtime.mqtt import reasons
from edge_runtime.mqtt.broker import Broker
from edge_runtime.mqtt.connection import Connection, Message, Session, Waker, Will

MAX_PAYLOAD_BYTES = 256 << 10

log = logging.getLogger(__name__)

_TOPIC = re.compile(r"[^\s+#\x00-\x1f\x7f]{1,1024}\Z")
_ROOM = (4_096, 32 << 20)  # messages and bytes that may wait for the broker's acknowledgement
_CONNECT_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 2.0
_JOIN_TIMEOUT_S = 15.0
_STABLE_S = 5.0
_IDLE_S = 60.0
_SHORT_S = 60.0


def _ignore(*_: object) -> None:
    pass


class Link:
    """Runs a thread of its own from `start` to `close`; all callbacks are called there.

    A callback that raises is counted in `faults` and logged; a message whose callback raised is
    acknowledged all the same, or one bad message would come back for ever. A message is acknowledged
    to the broker when `on_message` has returned. Callbacks hold no lock of the link: they may publish,
    and may take locks under which other threads publish.

    `on_up()`: connected, every subscription granted. `on_down(reason)`: the connection broke, or cannot
    be made; told once for each new reason. `on_published(token)`: the broker took what `publish`
    returned `token` for. `will` may be a function, asked at each connect. `persistent` keeps the session
    at the broker while we are away. `retry_s`: shortest and longest pause between attempts.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        client_id: str,
        subscriptions: Mapping[str, int] | None = None,
        on_message: Callable[[str, bytes, bool], object] = _ignore,
        on_up: Callable[[], object] = _ignore,
        on_down: Callable[[str], object] = _ignore,
        on_published: Callable[[int], object] = _ignore,
        will: Will | Callable[[], Will] | None = None,
        persistent: bool = False,
        keepalive_s: int = 30,
        max_payload_bytes: int = MAX_PAYLOAD_BYTES,
        retry_s: tuple[float, float] = (0.5, 30.0),
    ) -> None:
        """Raises ConfigError when a file that `broker` names cannot be used."""
        broker.check_files()
        self.broker = broker
        self.faults = 0
        self._client_id = client_id
        self._subscriptions = dict(subscriptions or {})
        self._on_message = on_message
        self._on_up = on_up
        self._on_down = on_down
        self._on_published = on_published
        self._will = will
        self._persistent = persistent
        self._keepalive_s = keepalive_s
        self._max_payload_bytes = max_payload_bytes
        self._retry_s = retry_s
        self._reason = ""
        self._short_lives = 0  # in a row, of connections that the broker ended soon
        self._generation = 0
        self._current: tuple[int, Connection] | None = None
        self._waker = Waker()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{client_id}", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether the broker can be published to now."""
        return self._current is not None

    def start(self) -> None:
        """Begin to connect, and go on for ever."""
        self._thread.start()

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int | None:
        """Send one message; a token for `on_published`, or None when it cannot be sent now.

        That is while there is no connection, and while 4,096 messages or 32 MiB wait for the broker.
        A token is unique in the life of the link. Raises BrokerError for what no broker would take.
        """
        self._check(topic, payload)
        if (current := self._current) is None:
            return None
        generation, connection = current
        mid = connection.publish(topic, payload, qos, retain, _ROOM)
        return None if mid is None else _token(generation, mid)

    def close(self) -> None:
        """Wait a moment for the broker to take what was published, say DISCONNECT and end the thread."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._waker.wake()
        if self._thread.ident is None:
            self._waker.close()
            return
        if self._thread is not threading.current_thread():
            self._thread.join(_JOIN_TIMEOUT_S)
            if self._thread.is_alive():  # only a name look-up takes that long; it ends by itself
                log.warning("%s: the connection attempt does not end", self.broker.url)

    def __enter__(self) -> "Link":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        failures = 0
        while not self._closing.is_set():
            began = time.monotonic()
            lived = self._live_once()
            failures = 0 if lived and time.monotonic() - began > _STABLE_S else failures + 1
            self._closing.wait(pause_s(failures - 1, self._retry_s, random.random()))  # noqa: S311
        self._waker.close()

    def _live_once(self) -> bool:
        """One connection from its beginning to its end; whether there was one."""
        lived = False
        began = time.monotonic()
        reason = f"{self.broker.url}: the link was closed."
        connection: Connection | None = None
        try:
            connection = Connection(self.broker, self._session(), self._waker, _CONNECT_TIMEOUT_S)
            connection.open(self._closing.is_set)
            lived = True
            self._went_up(connection)
            self._serve(connection)
        except EdgeError as error:
            reason = self._lost(str(error), time.monotonic() - began) if lived else str(error)
        except Exception:
            log.exception("%s: the connection failed by a fault of ours", self.broker.url)
            reason = f"{self.broker.url}: the connection failed by a fault of ours. It is made again."
            self.faults += 1
        finally:
            self._current = None
            if connection is not None:
                connection.close()
        if not self._closing.is_set() or lived:
            self._went_down(reason, lived)
        return lived

    def _session(self) -> Session:
        will = self._will() if callable(self._will) else self._will
        return Session(self._client_id, self._subscriptions, will, self._persistent, self._keepalive_s)

    def _serve(self, connection: Connection) -> None:
        until: float | None = None
        while True:
            if self._closing.is_set():
                until = time.monotonic() + _CLOSE_TIMEOUT_S if until is None else until
                if connection.idle or time.monotonic() > until:
                    return
            for event in connection.step(_IDLE_S if until is None else 0.05):
                if isinstance(event, Message):
                    self._call(self._on_message, event.topic, event.payload, event.retained)
                    connection.acknowledge(event)
                else:
                    self._call(self._on_published, _token(self._generation, event.mid))

    def _went_up(self, connection: Connection) -> None:
        self._reason = ""
        self._generation += 1
        self._current = (self._generation, connection)
        self._call(self._on_up)

    def _lost(self, reason: str, lived_s: float) -> str:
        self._short_lives = self._short_lives + 1 if lived_s < _SHORT_S else 0
        return reasons.repeated(reason, self._short_lives, self._client_id)

    def _went_down(self, reason: str, lived: bool) -> None:
        if lived or reason != self._reason:
            self._reason = reason
            self._call(self._on_down, reason)

    def _call(self, callback: Callable[..., object], *arguments: Any) -> None:
        try:
            callback(*arguments)
        except Exception:
            self.faults += 1
            log.exception("%s: a callback of the link failed", self.broker.url)

    def _check(self, topic: str, payload: bytes) -> None:
        """A broker answers these by closing the connection, again and again."""
        if not _TOPIC.match(topic):
            raise BrokerError(
                f"topic {topic[:80]!r}: expected 1 to 1024 characters with no white space, '+' or '#'."
            )
        if len(payload) > self._max_payload_bytes:
            raise BrokerError(
                f"{topic}: expected a payload of at most {self._max_payload_bytes:,} bytes, "
                f"found {len(payload):,}. Send less at once."
            )


def pause_s(failures: int, retry_s: tuple[float, float], chance: float) -> float:
    """The pause after so many failures in a row: doubled each time, capped, half of it by chance."""
    shortest, longest = retry_s
    full = min(longest, shortest * 2.0 ** min(max(failures, 0), 32))
    return full * (0.5 + 0.5 * chance)


def check(broker: Broker, timeout_s: float = _CONNECT_TIMEOUT_S) -> None:
    """Connect once and say goodbye. Raises BrokerError when that fails, ConfigError for bad files."""
    waker = Waker()
    try:
        session = Session(f"check-{secrets.token_hex(8)}")
        connection = Connection(broker, session, waker, timeout_s)
        try:
            connection.open()
        finally:
            connection.close()
    finally:
        waker.close()


def _token(generation: int, mid: int) -> int:
    """A mid is unique in one connection only."""
    return generation << 16 | mid
