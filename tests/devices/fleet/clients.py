"""A plain MQTT client for tests: paho and nothing of ours, as a Node-RED would be."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

DEADLINE_S = 20.0
Found = TypeVar("Found")


def wait_for(condition: Callable[[], Found], what: str, deadline_s: float = DEADLINE_S) -> Found:
    """The condition's first true value."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError(f"waited {deadline_s} s in vain for {what}")


class Client:
    """Connected at birth; keeps all it receives in `received`. `session`: the name of a lasting one."""

    def __init__(
        self,
        port: int,
        *,
        host: str = "127.0.0.1",
        username: str = "",
        password: str = "",
        ca: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
        session: str = "",
    ) -> None:
        self.received: list[tuple[str, bytes, bool]] = []
        self.refusal = ""
        self._topics: list[str] = []
        self._granted: dict[int, int] = {}
        self._acknowledged: set[int] = set()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=session, clean_session=not session
        )
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe
        self._client.on_publish = self._on_publish
        if username:
            self._client.username_pw_set(username, password)
        if ca:
            self._client.tls_set(
                str(ca), str(certificate) if certificate else None, str(key) if key else None
            )
        self._client.connect(host, port)
        self._client.loop_start()

    def connected(self) -> bool:
        return self._client.is_connected()

    def subscribe(self, topic: str) -> int:
        """The granted QoS, or 0x80."""
        self._topics.append(topic)
        _, number = self._client.subscribe(topic, qos=1)
        assert number is not None
        wait_for(lambda: number in self._granted, f"an answer to SUBSCRIBE {topic}")
        return self._granted[number]

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Returns once the broker has acknowledged it."""
        number = self._client.publish(topic, payload, qos=1, retain=retain).mid
        wait_for(lambda: number in self._acknowledged, f"the PUBACK on {topic}")

    def send(self, topic: str, payload: bytes) -> None:
        """Waits for nothing."""
        self._client.publish(topic, payload, qos=1)

    def on(self, topic: str) -> list[bytes]:
        return [payload for where, payload, _ in self.received if where == topic]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self, _client: Any, _userdata: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        self.refusal = str(reason) if reason.is_failure else ""
        for topic in self._topics:  # after a reconnect the broker may not know them
            self._client.subscribe(topic, qos=1)

    def _on_message(self, _client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        self.received.append((message.topic, message.payload, message.retain))

    def _on_subscribe(
        self, _client: Any, _userdata: Any, number: int, reasons: list[Any], _properties: Any
    ) -> None:
        self._granted[number] = reasons[0].value

    def _on_publish(
        self, _client: Any, _userdata: Any, number: int, _reason: Any, _properties: Any
    ) -> None:
        self._acknowledged.add(number)


@contextmanager
def client(port: int, **options: Any) -> Iterator[Client]:
    """A client that is connected."""
    made = Client(port, **options)
    try:
        wait_for(made.connected, f"a connection ({made.refusal})")
        yield made
    finally:
        made.close()


@contextmanager
def refused_client(port: int, **options: Any) -> Iterator[Client]:
    """A client that the broker has refused."""
    made = Client(port, **options)
    try:
        wait_for(lambda: made.refusal, "the refusal")
        yield made
    finally:
        made.close()
