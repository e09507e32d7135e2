"""A device as the fleet sees one: it sends its rows until the collector has said they are kept."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from edge_runtime.telemetry.messages import Ack, Topics
from tests.devices.fleet.clients import Client, wait_for
from tests.devices.fleet.rows import STREAM, batch, birth, encode

_RESEND_S = 0.5
_BATCH = 10


class Device:
    """Sends `count` rows in batches, again and again, until the watermark has reached the last one."""

    def __init__(self, name: str, client: Client, *, stream: str = STREAM) -> None:
        self.topics = Topics(name)
        self.client = client
        self.stream = stream
        wait_for(client.connected, f"a connection ({client.refusal})")
        assert client.subscribe(self.topics.ack) == 1
        client.publish(self.topics.status, encode(birth(stream=stream)), retain=True)

    def watermark(self) -> int:
        """The last one the collector published for our stream."""
        acks = [msgspec.json.decode(payload, type=Ack) for payload in self.client.on(self.topics.ack)]
        return max((ack.seq for ack in acks if ack.stream == self.stream), default=0)

    def send(self, first: int, last: int) -> None:
        """Each batch once."""
        for start in range(first, last + 1, _BATCH):
            rows = range(start, min(start + _BATCH, last + 1))
            payload = encode(batch(rows, stream=self.stream))
            self.client.send(self.topics.telemetry, payload)

    def deliver(self, count: int, deadline_s: float = 30.0) -> None:
        """Rows 1 to `count`, whatever happens on the way."""
        deadline = time.monotonic() + deadline_s
        while self.watermark() < count:
            assert time.monotonic() < deadline, f"watermark {self.watermark()} of {count}"
            self.send(self.watermark() + 1, count)
            until = time.monotonic() + _RESEND_S
            while time.monotonic() < until and self.watermark() < count:
                time.sleep(0.01)

    @contextmanager
    def delivering(self, count: int) -> Iterator[None]:
        """`deliver` beside the block; at its end all rows are kept."""
        failure: list[BaseException] = []

        def work() -> None:
            try:
                self.deliver(count)
            except BaseException as error:  # noqa: BLE001 - raised again in the test's thread
                failure.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            thread.join()
        if failure:
            raise failure[0]


@contextmanager
def device(name: str, port: int, *, stream: str = STREAM, **options: Any) -> Iterator[Device]:
    """A device that is connected and has said so."""
    client = Client(port, **options)
    try:
        yield Device(name, client, stream=stream)
    finally:
        client.close()
