"""One MQTT connection, from TCP to its end: the only module that knows paho.

paho is driven by its external-loop calls from one thread of ours, because its own loop loses and
reorders what it queues, runs callbacks under its locks, and dies of an exception in one (ADR 0009).
"""

import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, LogLevel, MQTTErrorCode

from edge_runtime.errors import BrokerError
from edge_runtime.mqtt import reasons
from edge_runtime.mqtt.broker import Broker

_GOODBYE_S = 0.5
_LOOK_S = 5.0


@dataclass(frozen=True)
class Will:
    """What the broker says for us when our connection breaks."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True


@dataclass(frozen=True)
class Session:
    """How one connection introduces itself."""

    client_id: str
    subscriptions: Mapping[str, int] = field(default_factory=dict)
    will: Will | None = None
    persistent: bool = False
    keepalive_s: int = 30


class Message(NamedTuple):
    """A message that came in; it is acknowledged by `Connection.acknowledge`."""

    topic: str
    payload: bytes
    retained: bool
    mid: int
    qos: int


class Published(NamedTuple):
    """The broker acknowledged our message `mid` (QoS 0: it left)."""

    mid: int


class Waker:
    """Ends a wait of the connection's thread from any other."""

    def __init__(self) -> None:
        self.descriptor, self._end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._lock = threading.Lock()

    def wake(self) -> None:
        with self._lock:
            if self._end >= 0:
                with suppress(BlockingIOError):  # full: it will wake
                    os.write(self._end, b"\0")

    def clear(self) -> None:
        with suppress(BlockingIOError):
            os.read(self.descriptor, 4096)

    def close(self) -> None:
        with self._lock:
            os.close(self.descriptor)
            os.close(self._end)
            self._end = -1


class Connection:
    """Used by one thread; `publish` by any. What happened is returned by `step`, never called back."""

    def __init__(self, broker: Broker, session: Session, waker: Waker, timeout_s: float) -> None:
        """Raises ConfigError when a file that `broker` names cannot be used."""
        self._broker = broker
        self._session = session
        self._waker = waker
        self._timeout_s = timeout_s
        self._owner = threading.get_ident()
        self._events: list[Message | Published] = []
        self._connack: int | None = None
        self._refused_topics: list[str] | None = None
        self._last_error = ""
        self._lock = threading.Lock()
        self._in_flight: dict[int, int] = {}
        self._in_flight_bytes = 0
        self._client = self._make_client()

    def open(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Connect and subscribe. Raises BrokerError, also when `stopping` turns true."""
        broker = self._broker
        try:
            self._client.connect(broker.host, broker.port, self._session.keepalive_s)
        except (OSError, UnicodeError) as error:
            raise BrokerError(reasons.of_error(broker, error, self._timeout_s)) from error
        self._wait(lambda: self._connack is not None, stopping)
        if not self._session.subscriptions:
            return
        self._client.subscribe(list(self._session.subscriptions.items()))
        self._wait(lambda: self._refused_topics is not None, stopping)
        if self._refused_topics:
            raise BrokerError(reasons.of_refused_topics(broker, self._refused_topics))

    def step(self, timeout_s: float) -> list[Message | Published]:
        """Send and receive for up to `timeout_s`, less if something happens. Raises BrokerError."""
        if not self._events:
            self._turn(timeout_s)
        events, self._events = self._events, []
        published = [event.mid for event in events if isinstance(event, Published)]
        if published:
            with self._lock:
                for mid in published:
                    self._in_flight_bytes -= self._in_flight.pop(mid, 0)
        return events

    def publish(
        self, topic: str, payload: bytes, qos: int, retain: bool, room: tuple[int, int]
    ) -> int | None:
        """The message's mid; None when the connection is gone, or `room` (messages, bytes) is full."""
        with self._lock:
            if len(self._in_flight) >= room[0] or self._in_flight_bytes + len(payload) > room[1]:
                return None
            info = self._client.publish(topic, payload, qos, retain)
            if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return None
            self._in_flight[info.mid] = len(payload)
            self._in_flight_bytes += len(payload)
        if threading.get_ident() != self._owner:
            self._waker.wake()
        return info.mid

    def acknowledge(self, message: Message) -> None:
        self._client.ack(message.mid, message.qos)

    @property
    def idle(self) -> bool:
        """Whether all we sent was acknowledged."""
        return not self._in_flight

    def close(self) -> None:
        """Say DISCONNECT if there is a connection, and let the socket go."""
        if self._client.is_connected():
            self._client.disconnect()
            until = time.monotonic() + _GOODBYE_S
            while self._client.socket() is not None and time.monotonic() < until:
                with suppress(BrokerError):
                    self._turn(max(0.0, until - time.monotonic()))
        if (left := self._client.socket()) is not None:
            left.close()

    def _make_client(self) -> paho.Client:
        session = self._session
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=session.client_id,
            clean_session=not session.persistent,
            protocol=paho.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = self._timeout_s
        client.max_inflight_messages = 0  # no queue of paho's: what is published is sent
        client.on_socket_open = _without_delay
        client.on_socket_register_write = _nothing  # tells paho that the loop is ours
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_log = self._on_log
        if session.will:
            will = session.will
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        if self._broker.username:
            client.username_pw_set(self._broker.username, self._broker.password())
        if (context := self._broker.context()) is not None:
            client.tls_set_context(context)
        return client

    def _wait(self, condition: Callable[[], bool], stopping: Callable[[], bool]) -> None:
        until = time.monotonic() + self._timeout_s
        while not condition():
            left = until - time.monotonic()
            if left <= 0:
                raise BrokerError(reasons.of_silence(self._broker, self._timeout_s))
            if stopping():
                raise BrokerError(f"{self._broker.url}: we were told to stop.")
            self._turn(left)

    def _turn(self, timeout_s: float) -> None:
        """Wait for the socket, the waker or the keep-alive's next look, and do what is due."""
        client, connected = self._client, self._client.socket()
        if connected is None:
            raise BrokerError(self._loss())
        waiting = isinstance(connected, ssl.SSLSocket) and connected.pending() > 0
        poll = select.poll()
        poll.register(connected.fileno(), select.POLLIN | (select.POLLOUT if client.want_write() else 0))
        poll.register(self._waker.descriptor, select.POLLIN)
        # paho looks after the keep-alive whenever it is called.
        longest_s = min(timeout_s, _LOOK_S, (self._session.keepalive_s or _LOOK_S) / 4)
        ready = dict(poll.poll(0 if waiting else 1000 * longest_s))
        if self._waker.descriptor in ready:
            self._waker.clear()
        if waiting or ready.get(connected.fileno(), 0) & ~select.POLLOUT:
            self._must(client.loop_read())
        if client.want_write():
            self._must(client.loop_write())
        self._must(client.loop_misc())

    def _must(self, code: MQTTErrorCode) -> None:
        if code not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
            raise BrokerError(self._loss())

    def _loss(self) -> str:
        if self._connack:
            return reasons.of_refusal(self._broker, self._connack)
        return reasons.of_loss(self._broker, self._last_error, answered=self._connack == 0)

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _more: Any) -> None:
        self._connack = reason.value

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, codes: Any, _more: Any) -> None:
        asked = zip(self._session.subscriptions, codes, strict=False)
        self._refused_topics = [topic for topic, code in asked if code.is_failure]

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # nobody subscribes to it, but it is acknowledged
        payload = bytes(message.payload)
        self._events.append(Message(topic, payload, message.retain, message.mid, message.qos))

    def _on_publish(self, _client: Any, _data: Any, mid: int, _reason: Any, _more: Any) -> None:
        self._events.append(Published(mid))

    def _on_log(self, _client: Any, _data: Any, level: int, text: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:
            self._last_error = text.rpartition("socket: ")[2]


def _without_delay(_client: Any, _data: Any, opened: Any) -> None:
    # Without it QoS 1 meets delayed ACKs: 40 ms for a round trip that takes less than one.
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _nothing(_client: Any, _data: Any, _socket: Any) -> None:
    pass
