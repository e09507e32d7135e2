"""A disk that fills up under the collector: nothing is answered that is not kept, and nothing dies."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from devices.fleet import collector as collector_module
from devices.fleet.collector import Collector
from devices.fleet.database import Database
from devices.fleet.reader import Reader
from edge_runtime.telemetry.messages import Ack, Topics
from tests.devices.fleet.rows import STREAM, batch, encode

TOPICS = Topics("arm-7")


@dataclass
class RecordingLink:
    """The collector's side of a link, without a broker behind it."""

    published: list[tuple[str, Ack, bool]] = field(default_factory=list)
    open: bool = False

    def start(self) -> None:
        self.open = True

    def close(self) -> None:
        self.open = False

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int | None:
        assert self.open
        self.published.append((topic, msgspec.json.decode(payload, type=Ack), retain))
        return 1


def _let_pages(database: Database, count: int) -> None:
    database._connection.execute(f"PRAGMA max_page_count = {count}")


def test_it_waits_for_room_and_then_stores_and_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(collector_module, "_RETRY_S", (0.01, 0.02))
    link = RecordingLink()
    with Database(tmp_path) as database:
        collector = Collector(database)
        _let_pages(database, 1)
        collector.take(TOPICS.telemetry, encode(batch(range(1, 1_001))), False)

        def alive() -> bool:
            if len(caplog.records) == 3:  # three times refused: now there is room
                _let_pages(database, 1 << 20)
            return not link.published

        collector.run(link, alive)
    assert link.published == [(TOPICS.ack, Ack(stream=STREAM, seq=1_000), True)]
    assert not link.open
    assert "disk is full" in caplog.messages[0]
    with Reader(tmp_path) as reader:
        assert reader.device("arm-7").stored == 1_000


def test_it_can_be_stopped_while_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(collector_module, "_RETRY_S", (0.01, 0.02))
    link = RecordingLink()
    with Database(tmp_path) as database:
        collector = Collector(database)
        _let_pages(database, 1)
        collector.take(TOPICS.telemetry, encode(batch(range(1, 1_001))), False)
        with caplog.at_level(logging.ERROR):
            collector.run(link, lambda: not caplog.records)
    assert link.published == []
    assert not link.open
