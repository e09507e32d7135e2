"""A sensor for tests: numbered samples over a real broker, and a ledger of what was acknowledged."""

import json
import threading
from collections.abc import Sequence
from typing import Any

from edge_runtime.mqtt import Broker, Link
from tests.support.waiting import wait_for


class SensorRig:
    """Publishes on one topic with QoS 1; a context manager. `values` of sample n tell n."""

    def __init__(self, url: str, topic: str = "sensors/watch", segment: str = "run") -> None:
        self.topic = topic
        self.segment = segment
        self.sent = 0
        self._acknowledged = 0
        self._lock = threading.Lock()
        self._link = Link(Broker.from_url(url), client_id="sensor", on_published=self._on_published)

    def __enter__(self) -> "SensorRig":
        self._link.start()
        wait_for(lambda: self._link.connected, "the sensor to connect")
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close()

    def send(self, count: int) -> None:
        """The next samples, one message each; returns when the broker has them all."""
        for seq in range(self.sent, self.sent + count):
            self.publish({"segment": self.segment, "seq": seq, "values": sample(seq)})
        self.sent += count
        self.settle()

    def publish(self, message: Any) -> None:
        """One message, JSON or raw bytes, as it is."""
        raw = message if isinstance(message, bytes) else json.dumps(message).encode()
        wait_for(lambda: self._link.publish(self.topic, raw) is not None, "room for a sample")
        with self._lock:
            self._acknowledged -= 1

    def settle(self) -> None:
        wait_for(lambda: self._acknowledged == 0, "the broker to acknowledge all samples")

    def _on_published(self, _token: int) -> None:
        with self._lock:
            self._acknowledged += 1


def sample(seq: int) -> Sequence[float]:
    """Two channels: moving (2) and still (-2) take turns every 10 samples."""
    level = 2.0 if seq // 10 % 2 else -2.0
    return [level, level + seq / 1e6]
