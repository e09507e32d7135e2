"""A sensor that keeps its pace, and sends again what its broker has not acknowledged."""

import json
import threading
import time
from collections import deque

from edge_runtime.mqtt import Broker, Link
from tests.support.sensor import sample
from tests.support.waiting import wait_for

_LOOK_S = 0.002


class SteadySensor:
    """Numbered samples of one segment, `rate_hz` of them a second, `chunk` of them a message.

    A context manager. What is due while the broker is away waits, and so does what it took and did
    not acknowledge; both are sent once it is back.
    """

    def __init__(
        self, url: str, rate_hz: float, *, chunk: int = 1, topic: str = "sensors/watch"
    ) -> None:
        self.sent = 0
        self._rate_hz, self._chunk, self._topic = rate_hz, chunk, topic
        self._waiting: deque[bytes] = deque()
        self._unacknowledged: dict[int, bytes] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._link = Link(
            Broker.from_url(url),
            client_id="sensor",
            on_published=self._on_published,
            on_down=self._on_down,
            retry_s=(0.1, 0.5),
        )
        self._thread = threading.Thread(target=self._run, name="steady-sensor")

    def __enter__(self) -> "SteadySensor":
        self._link.start()
        wait_for(lambda: self._link.connected, "the sensor to connect")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._link.close()

    def finish(self) -> int:
        """No more samples; how many there were, once the broker has acknowledged all of them."""
        self._ended.set()
        self._thread.join()
        wait_for(self._all_acknowledged, "the broker to acknowledge all samples", 60)
        return self.sent

    def _run(self) -> None:
        began = time.monotonic()
        while not self._ended.is_set():
            due = int((time.monotonic() - began) * self._rate_hz)
            while self.sent + self._chunk <= due:
                self._waiting.append(self._message())
                self.sent += self._chunk
            self._send()
            self._ended.wait(_LOOK_S)

    def _message(self) -> bytes:
        numbers = range(self.sent, self.sent + self._chunk)
        return json.dumps([{"segment": "run", "seq": n, "values": sample(n)} for n in numbers]).encode()

    def _send(self) -> None:
        with self._lock:
            while self._waiting:
                token = self._link.publish(self._topic, self._waiting[0])
                if token is None:
                    return
                self._unacknowledged[token] = self._waiting.popleft()

    def _all_acknowledged(self) -> bool:
        self._send()
        with self._lock:
            return not self._waiting and not self._unacknowledged

    def _on_published(self, token: int) -> None:
        with self._lock:
            self._unacknowledged.pop(token, None)

    def _on_down(self, _reason: str) -> None:
        with self._lock:
            self._waiting.extendleft(reversed(self._unacknowledged.values()))
            self._unacknowledged.clear()
