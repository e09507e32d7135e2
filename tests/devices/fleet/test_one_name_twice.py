"""Two devices under one name, as a copied card makes them: each throws the other out, none loses."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from devices.fleet.reader import Reader
from edge_runtime.mqtt import Broker
from edge_runtime.telemetry.messages import Topics
from edge_runtime.telemetry.outbox import Outbox
from edge_runtime.telemetry.publisher import Publisher
from tests.devices.fleet.clients import wait_for
from tests.devices.fleet.rows import prediction
from tests.support.fleet_process import fleet_process

pytestmark = pytest.mark.end_to_end

ROWS = 500


def test_rows_of_both_are_stored_once_each_in_a_stream_of_its_own(tmp_path: Path) -> None:
    data, losses = tmp_path / "data", list[str]()
    with (
        fleet_process(tmp_path, "serve", "--data", data, "--listen", "127.0.0.1:0") as collector,
        ExitStack() as stack,
    ):
        broker = Broker("127.0.0.1", collector.port())
        outboxes = [stack.enter_context(Outbox(tmp_path / f"{name}.db")) for name in ("one", "copy")]
        for outbox in outboxes:
            outbox.append([prediction(seq) for seq in range(1, ROWS + 1)])
            publisher = Publisher(
                outbox, broker, Topics("arm-7"), retry_s=(1.0, 2.0), on_down=losses.append
            )
            stack.enter_context(publisher)
        wait_for(lambda: all(outbox.counts().rows == 0 for outbox in outboxes), "both to be heard", 40)
        wait_for(lambda: losses, "one to be thrown out")
        streams = {outbox.stream for outbox in outboxes}
    with Reader(data) as reader:
        found = {stream.stream: (stream.stored, stream.lost) for stream in reader.streams("arm-7")}
    assert found == dict.fromkeys(streams, (ROWS, 0))
