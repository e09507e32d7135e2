"""One model's sensor and what is told of it."""

import time
from pathlib import Path

from edge_runtime import config as settings
from edge_runtime.agent.books import Books
from edge_runtime.agent.brokers import broker
from edge_runtime.agent.predictor import Predictor
from edge_runtime.config import Config
from edge_runtime.telemetry.messages import Event
from edge_runtime.telemetry.outbox import Outbox
from tests.support.brokers import Mosquitto
from tests.support.outbox_rows import rows_of
from tests.support.tiny_bundle import tiny_manifest
from tests.support.waiting import wait_for

MANIFEST = tiny_manifest("tiny", "1.0.0", 1, model_size=1, golden_count=1)


def test_a_sensor_whose_broker_was_away_for_longer_than_that_is_not_called_silent(
    tmp_path: Path, broker: Mosquitto
) -> None:
    source = {"url": broker.url, "topic": "sensors/watch", "silence_s": 2.0}
    table = {"device": {"id": "device-01"}, "models": [{"name": "tiny", "source": source}]}
    config = settings.parse(table, tmp_path)
    with Outbox(tmp_path / "outbox.db") as outbox:
        predictor = made(config, outbox)
        assert predictor.listen(MANIFEST)
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


def listening(folder: Path, outbox: Outbox, **source: object) -> Predictor:
    """The predictor of a sensor that nobody can reach."""
    about = {"url": "mqtt://127.0.0.1:1", "topic": "sensors/watch", **source}
    table = {"device": {"id": "device-01"}, "models": [{"name": "tiny", "source": about}]}
    config = settings.parse(table, folder)
    return made(config, outbox)


def made(config: Config, outbox: Outbox) -> Predictor:
    """Of the only model."""
    (model,) = config.models
    return Predictor(config, model, broker(model.source), Books(outbox, None), lambda: False)


def events(outbox: Outbox) -> list[tuple[str, str]]:
    return [(row.event, row.detail) for row in rows_of(outbox) if isinstance(row, Event)]


def test_a_file_of_the_brokers_settings_that_went_away_is_told_once_and_the_sensor_heard_when_it_is_back(
    tmp_path: Path,
) -> None:
    password = tmp_path / "password"
    password.write_text("secret")
    with Outbox(tmp_path / "outbox.db") as outbox:
        predictor = listening(tmp_path, outbox, username="watch", password_file="password")
        password.unlink()
        assert [predictor.listen(MANIFEST) for _ in range(2)] == [False, False]
        ((event, why),) = events(outbox)
        assert event == "sensor cannot be heard"
        assert str(password) in why
        password.write_text("secret")
        assert predictor.listen(MANIFEST)
        predictor.close()


def test_where_the_journals_file_cannot_be_made_that_is_told_and_samples_are_kept_in_memory(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    with Outbox(tmp_path / "outbox.db") as outbox:
        predictor = listening(tmp_path, outbox, journal="file/tiny.ring")
        assert predictor.listen(MANIFEST)
        predictor.close()
        ((event, why),) = events(outbox)
    assert event == "journal in memory only"
    assert why.startswith(f"{tmp_path}/file")
