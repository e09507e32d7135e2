"""The device's own outbox and publisher, and the collector: nothing lost, nothing twice, over kills."""

import os
import signal
from pathlib import Path

import pytest

from devices.fleet.reader import Reader
from edge_runtime.mqtt import Broker
from edge_runtime.telemetry.messages import Topics
from edge_runtime.telemetry.outbox import Outbox
from edge_runtime.telemetry.publisher import Publisher
from tests.devices.fleet.clients import wait_for
from tests.devices.fleet.rows import prediction, reported
from tests.support.fleet_process import fleet_process

pytestmark = pytest.mark.end_to_end

ROWS = 3_000
STEP = 100


def test_every_row_is_stored_once_whatever_is_killed(tmp_path: Path) -> None:
    any_port = ("--listen", "127.0.0.1:0")
    with fleet_process(tmp_path, "broker", "--data", tmp_path / "broker", *any_port) as broker:
        facts = broker.ready()
        way = Broker("127.0.0.1", facts["port"])
        served = fleet_process(tmp_path, "serve", "--data", tmp_path / "data", "--broker", way.url)
        outbox = Outbox(tmp_path / "outbox.db")
        publisher = Publisher(outbox, way, Topics("arm-7"), ack_timeout_s=1.0, retry_s=(0.05, 0.5))
        publisher.set_reported(reported("1.0.0", active="1.0.0").models)
        publisher.start()
        try:
            with served as collector:
                collector.ready()
                for first in range(1, ROWS + 1, STEP):
                    outbox.append([prediction(seq) for seq in range(first, first + STEP)])
                    if first == ROWS // 3 + 1:
                        collector.kill()
                        collector.restart()
                    if first == 2 * ROWS // 3 + 1:
                        os.kill(facts["children"]["broker"], signal.SIGKILL)
                wait_for(lambda: _stored(tmp_path / "data") == ROWS, "the last row", 40)
        finally:
            publisher.close()
            outbox.close()
    with Reader(tmp_path / "data") as reader:
        (stream,) = reader.streams("arm-7")
        seqs = [one.prediction.seq for one in reader.predictions("arm-7", "motion")]
        device = reader.device("arm-7")
    assert seqs == list(range(1, ROWS + 1))
    assert (stream.stored, stream.lost, stream.watermark) == (ROWS, 0, ROWS)
    assert (device.refused, device.models[0].version) == (0, "1.0.0")


def test_a_database_that_is_removed_ends_the_collector_and_no_row_is_lost_in_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with (
        fleet_process(tmp_path, "serve", "--data", data, "--listen", "127.0.0.1:0") as collector,
        Outbox(tmp_path / "outbox.db") as outbox,
        Publisher(outbox, Broker("127.0.0.1", collector.port()), Topics("arm-7"), tidy_s=0.05),
    ):
        outbox.append([prediction(1)])
        wait_for(lambda: outbox.counts().rows == 0, "the first row to be acknowledged")
        for file in data.glob("fleet.db*"):
            file.unlink()
        outbox.append([prediction(2)])
        assert collector.exit_code() == 7
        assert outbox.counts().rows == 1
        assert "Traceback" not in collector.said
        assert collector.said.splitlines()[-1].startswith(
            f"error: {data}/fleet.db: expected the database"
        )


def _stored(folder: Path) -> int:
    if not (folder / "fleet.db").exists():
        return 0
    with Reader(folder) as reader:
        return sum(record.stored for record in reader.devices())
