"""One model's sensor and what is told of it."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from edge_runtime import config as settings
from edge_runtime.agent import serving as serving_module
from edge_runtime.agent.books import Books
from edge_runtime.agent.brokers import broker
from edge_runtime.agent.predictor import Predictor
from edge_runtime.agent.serving import Serving
from edge_runtime.config import Config
from edge_runtime.telemetry.messages import Event
from edge_runtime.telemetry.outbox import Outbox
from edge_runtime.worker import Worker
from tests.support.brokers import Mosquitto
from tests.support.outbox_rows import rows_of
from tests.support.slots import installed_in, slot
from tests.support.tiny_bundle import tiny_bundle, tiny_manifest
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


@pytest.mark.parametrize("last", ["counters", "rejected"])
def test_a_sample_that_is_rejected_while_losses_are_counted_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    """The sensor's thread takes it behind the first of two looks, whichever that is."""
    with Outbox(tmp_path / "outbox.db") as outbox:
        predictor = listening(tmp_path, outbox)
        assert predictor.listen(MANIFEST)
        assert predictor._sensor is not None
        stream = predictor._sensor.stream
        look = getattr(stream, last)

        def looked_late() -> object:
            monkeypatch.undo()
            stream.take(b"what?")
            return look()

        monkeypatch.setattr(stream, last, looked_late)
        for _ in range(2):
            predictor.tell_losses()
        assert events(outbox) == [("samples rejected", "1 x not JSON")]
        predictor.close()


class Fed:
    """A predictor of real workers, to which samples come without a broker; windows as in `MANIFEST`."""

    def __init__(self, folder: Path, outbox: Outbox, **model: object) -> None:
        source = {"url": "mqtt://127.0.0.1:1", "topic": "sensors/watch"}
        table = {"device": {"id": "device-01"}, "models": [{"name": "tiny", "source": source, **model}]}
        self.predictor = made(settings.parse(table, folder), outbox)
        assert self.predictor.listen(MANIFEST)
        self._sent = 0

    def feed(self, windows: int, value: float = 2.0) -> None:
        """Samples for so many windows more; for one more, the first time."""
        sensor = self.predictor._sensor
        assert sensor is not None
        for _ in range(2 * windows + (2 if self._sent == 0 else 0)):
            sample = {"segment": "run", "seq": self._sent, "values": [value, value]}
            sensor.stream.take(json.dumps(sample).encode())
            self._sent += 1

    def predict(self, serving: Serving) -> int:
        """How many windows the worker has answered in one run."""
        before = self.predictor.counts["windows"]
        worker = serving.living()
        assert worker is not None
        self.predictor.predict(serving, worker, 0.0)
        return self.predictor.counts["windows"] - before


@contextmanager
def served(folder: Path, **options: object) -> Iterator[Serving]:
    """A bundle whose workers are started again as in an agent; `options` are the tiny bundle's."""
    unpacked = slot(folder, tiny_bundle(**options))  # type: ignore[arg-type]
    installed = installed_in(unpacked)
    serving = Serving(installed, None, start=Worker, load_timeout_s=60, note=lambda *_: None)
    try:
        yield serving
    finally:
        serving.close()


def test_a_run_that_takes_too_long_is_no_success_and_no_prediction_and_the_next_start_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_module, "_FIRST_BACK_OFF_S", 3600.0)
    with (
        Outbox(tmp_path / "outbox.db") as outbox,
        served(tmp_path, behaviour="hangs_on_large") as serving,
    ):
        fed = Fed(tmp_path, outbox, run_timeout_s=0.2)
        fed.feed(3, value=1000.0)
        assert [fed.predict(serving) for _ in range(2)] == [0, 0]
        assert serving.living() is None
        assert serving.predictions == 0
        assert fed.predictor.counts["failed"] == 0
        fed.predictor.close()


def test_a_window_is_not_blamed_for_what_the_version_before_did_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is left out when it has taken down three workers of one version."""
    monkeypatch.setattr(serving_module, "_FIRST_BACK_OFF_S", 0.0)
    with (
        Outbox(tmp_path / "outbox.db") as outbox,
        served(tmp_path, behaviour="hangs_on_large") as serving,
    ):
        fed = Fed(tmp_path, outbox, run_timeout_s=0.2)
        fed.feed(1, value=1000.0)

        def failed_after(runs: int) -> int:
            assert [fed.predict(serving) for _ in range(runs)] == [0] * runs
            return fed.predictor.counts["failed"]

        assert failed_after(2) == 0
        fed.predictor.go_over()
        assert failed_after(2) == 0
        assert failed_after(1) == 1
        fed.predictor.close()


@pytest.mark.parametrize("behaviour", ["fails_on_large", "nan_on_large", "hangs_on_large"])
@pytest.mark.parametrize("first", [True, False])
def test_an_attempt_of_a_trial_ends_by_one_window_and_where_no_version_is_before_it_that_is_left_out(
    tmp_path: Path, behaviour: str, first: bool
) -> None:
    """The next attempt meets neither it nor what shares samples with it, whichever agent begins that."""
    with Outbox(tmp_path / "outbox.db") as outbox, served(tmp_path, behaviour=behaviour) as serving:
        fed = Fed(tmp_path, outbox, run_timeout_s=1.0)
        fed.feed(1)
        assert fed.predict(serving) == 1  # how fast it is, is known: more windows would be run at once
        serving.on_trial, serving.first = True, first
        fed.feed(2)
        fed.feed(1, value=1000.0)
        assert [fed.predict(serving) for _ in range(3)] == [1, 1, 0]
        assert serving.failure
        place = msgspec.json.decode(outbox.recall("place/tiny") or b"")
        assert (fed.predictor.counts["failed"], place["next"]) == ((2, 10) if first else (0, 6))
        if first:
            fed.predictor.go_over()
            serving.failure = ""
            fed.feed(3)
            assert sum(fed.predict(serving) for _ in range(2)) == 2
            assert serving.failure == ""
        fed.predictor.close()


def test_of_a_worker_that_takes_over_nobody_knows_how_fast_it_is(tmp_path: Path) -> None:
    """As many windows at once as the one before could run in time may be too many for it."""
    with Outbox(tmp_path / "outbox.db") as outbox, served(tmp_path) as serving:
        fed = Fed(tmp_path, outbox)
        fed.feed(10)
        assert [fed.predict(serving) for _ in range(2)] == [1, 9]
        fed.predictor.go_over()
        fed.feed(10)
        assert [fed.predict(serving) for _ in range(2)] == [1, 9]
        fed.predictor.close()


def test_windows_that_have_to_wait_for_the_processors_sake_hold_the_thread_for_one_turn_only(
    tmp_path: Path,
) -> None:
    """What else it does goes on meanwhile, such as telling of losses and of silence."""
    with Outbox(tmp_path / "outbox.db") as outbox, served(tmp_path) as serving:
        fed = Fed(tmp_path, outbox, cpu=0.01)
        fed.feed(2)
        assert fed.predict(serving) == 1
        limit = fed.predictor._cpu
        assert limit is not None
        limit._pace.spend(36.0)  # an hour's worth
        turn = threading.Thread(target=fed.predict, args=(serving,))
        turn.start()
        turn.join(20)
        try:
            assert not turn.is_alive()
            assert fed.predictor.counts["windows"] == 1
        finally:
            fed.predictor.wake()
            turn.join()
            fed.predictor.close()


@pytest.mark.parametrize("change", [{"length": 6}, {"stride": 1}, {"channels": ("a", "b")}])
def test_a_version_with_the_same_windows_goes_on_in_the_stream_and_one_with_others_begins_anew(
    tmp_path: Path, change: dict[str, object]
) -> None:
    with Outbox(tmp_path / "outbox.db") as outbox:
        fed = Fed(tmp_path, outbox)
        fed.feed(2)
        before, window = fed.predictor._sensor, MANIFEST.window
        assert fed.predictor.listen(msgspec.structs.replace(MANIFEST, version="1.1.0"))
        assert fed.predictor._sensor is before
        assert fed.predictor.counters()["waiting"] == 2

        assert window is not None
        other = msgspec.structs.replace(window, **change)
        assert fed.predictor.listen(msgspec.structs.replace(MANIFEST, window=other))
        assert fed.predictor._sensor is not before
        assert fed.predictor.counters()["waiting"] == 0
        fed.predictor.close()


def test_a_place_in_another_ring_says_nothing_of_this_one(tmp_path: Path) -> None:
    """The journal's file was lost, say, and the outbox was not."""
    with Outbox(tmp_path / "outbox.db") as outbox, served(tmp_path) as serving:
        place = msgspec.json.encode({"ring": "another", "run": 1_000_000, "next": 1_000_000})
        outbox.append([], meta={"place/tiny": place})
        fed = Fed(tmp_path, outbox)
        fed.feed(3)
        assert fed.predict(serving) == 1
        fed.predictor.close()
