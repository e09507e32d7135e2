"""The simplest collector that keeps its word: it acknowledges what it holds without a gap, no more."""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable

import msgspec

from edge_runtime.mqtt import Broker, Link
from edge_runtime.telemetry.messages import ROOT, Ack, Batch, Reported, Status, Topics, parse_uplink


class Store:
    """What outlives a collector that is killed: one device's rows."""

    def __init__(self) -> None:
        self.rows: dict[str, set[int]] = defaultdict(set)
        self.oldest: Counter[str] = Counter()
        self.duplicates = 0
        self.arrivals: list[str] = []  # the stream of each batch
        self.statuses: list[Status] = []
        self.reports: list[Reported] = []

    def take(self, batch: Batch) -> int:
        """Commit a batch; the watermark of its stream."""
        self.arrivals.append(batch.stream)
        rows = self.rows[batch.stream]
        for row in batch.rows:
            self.duplicates += row.seq in rows
            rows.add(row.seq)
        self.oldest[batch.stream] = max(self.oldest[batch.stream], batch.oldest)
        return self.watermark(batch.stream)

    def watermark(self, stream: str) -> int:
        seq = max(self.oldest[stream] - 1, 0)
        while seq + 1 in self.rows[stream]:
            seq += 1
        return seq


def deliver(batch: Batch) -> list[Batch]:
    return [batch]


class Collector:
    """`alter` plays a network that loses, repeats or reorders batches: what it returns arrives."""

    def __init__(
        self, broker: Broker, store: Store, *, alter: Callable[[Batch], list[Batch]] = deliver
    ) -> None:
        self.store = store
        self._alter = alter
        self._lock = threading.Lock()
        self.link = Link(
            broker,
            client_id="collector",
            subscriptions={f"{ROOT}/+/up/#": 1},
            on_message=self._take,
            retry_s=(0.02, 0.1),
        )
        self.link.start()

    def close(self) -> None:
        self.link.close()

    def _take(self, topic: str, payload: bytes, retained: bool) -> None:
        parsed = parse_uplink(topic)
        assert parsed is not None
        device, kind = parsed
        if kind == "status":
            status = msgspec.json.decode(payload, type=Status)
            self.store.statuses.append(status)
            if status.online and not retained:
                self.acknowledge(device, status.stream, self.store.watermark(status.stream))
        elif kind == "reported":
            self.store.reports.append(msgspec.json.decode(payload, type=Reported))
        else:
            for batch in self._alter(msgspec.json.decode(payload, type=Batch)):
                self.acknowledge(device, batch.stream, self.store.take(batch))

    def acknowledge(self, device: str, stream: str, seq: int) -> None:
        ack = msgspec.json.encode(Ack(stream=stream, seq=seq))
        self.link.publish(Topics(device).ack, ack, retain=True)
