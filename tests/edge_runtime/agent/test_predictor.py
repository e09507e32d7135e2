"""One model's sensor and what is told of it."""

import time
from pathlib import Path

from edge_runtime import config as settings
from edge_runtime.agent.books import Books
from edge_runtime.agent.predictor import Predictor
from edge_runtime.telemetry.outbox import Outbox
from tests.support.brokers import Mosquitto
from tests.support.tiny_bundle import tiny_manifest
from tests.support.waiting import wait_for


def test_a_sensor_whose_broker_was_away_for_longer_than_that_is_not_called_silent(
    tmp_path: Path, broker: Mosquitto
) -> None:
    source = {"url": broker.url, "topic": "sensors/watch", "silence_s": 2.0}
    table = {"device": {"id": "device-01"}, "models": [{"name": "tiny", "source": source}]}
    config = settings.parse(table, tmp_path)
    manifest = tiny_manifest("tiny", "1.0.0", 1, model_size=1, golden_count=1)
    with Outbox(tmp_path / "outbox.db") as outbox:
        predictor = Predictor(config, config.models[0], Books(outbox, None), lambda: False)
        assert predictor.listen(manifest)
        try:

            def looked(done: bool) -> bool:
                predictor.tell_silence()
                return done

            wait_for(lambda: looked(predictor.hears), "the sensor's broker")
            broker.kill()
            wait_for(lambda: looked(not predictor.hears), "its end")
            until = time.monotonic() + config.models[0].source.silence_s
            wait_for(lambda: looked(time.monotonic() > until), "the limit")
            broker.start()
            wait_for(lambda: looked(predictor.hears), "the broker again")
            predictor.tell_silence()

            assert outbox.counts().rows == 0
        finally:
            predictor.close()
