"""A model's thread: who answers its windows when, and what becomes of it when it hangs."""

import os
import threading
from pathlib import Path

import pytest

from edge_runtime import config as settings
from edge_runtime.agent import runner, supervisor
from edge_runtime.agent.books import Books
from edge_runtime.agent.brokers import broker, brokers
from edge_runtime.agent.runner import ModelRunner
from edge_runtime.agent.supervisor import Supervisor
from edge_runtime.config import Config, ModelConfig
from edge_runtime.errors import StorageError
from edge_runtime.service.notify import Notifier
from edge_runtime.store.disk import Store
from edge_runtime.telemetry.messages import Event
from edge_runtime.telemetry.outbox import Outbox
from edge_runtime.worker import Worker
from tests.support.manager import ManagerSocket
from tests.support.outbox_rows import rows_of
from tests.support.own_engine import own_engine
from tests.support.rights import may_raise
from tests.support.slots import installed_in, slot
from tests.support.tiny_bundle import tiny_bundle
from tests.support.waiting import wait_for

_free = threading.Event()


def runner_of(config: Config, outbox: Outbox) -> ModelRunner:
    """Of the only model."""
    (model,) = config.models
    return ModelRunner(config, model, broker(model.source), Books(outbox, None))


class Stopped(ModelRunner):
    """Takes no turn while `free` is not set."""

    free = threading.Event()

    def _turn(self) -> None:
        self.free.wait()
        super()._turn()


def test_by_what_an_attempt_has_shown_the_next_one_of_the_same_bundle_is_not_judged(
    tmp_path: Path,
) -> None:
    folder = slot(tmp_path, tiny_bundle())
    source = {"url": "mqtt://127.0.0.1:1", "topic": "sensors/watch"}
    config = settings.parse(
        {"device": {"id": "device-01"}, "models": [{"name": "tiny", "source": source}]}, tmp_path
    )
    with Outbox(tmp_path / "outbox.db") as outbox:
        (configured,) = config.models
        model = Stopped(config, configured, broker(configured.source), Books(outbox, None))
        model.free.set()
        model.start()
        try:
            model.serve(installed_in(folder), None, on_trial=True)
            worker = wait_for(lambda: model.answering, "a worker")
            worker.kill()
            failed = wait_for(lambda: (now := model.served) and now.failure and now, "its end")
            model.free.clear()
            model.serve(installed_in(folder), None, on_trial=True)
            assert model.served is None
            model.free.set()
            now = wait_for(lambda: model.served, "the next attempt")
            assert (now.digest, now.failure) == (failed.digest, "")
        finally:
            model.free.set()
            model.stop(20)


class Held(ModelRunner):
    """Waits in its turn as for a kernel that does not answer, until `_free` is set."""

    def _turn(self) -> None:
        _free.wait()
        super()._turn()


def test_a_model_whose_thread_hangs_is_told_each_time_and_the_watchdog_hears_nothing_until_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "ModelRunner", Held)
    monkeypatch.setattr(supervisor, "POLL_S", 0.05)
    monkeypatch.setattr(runner, "_PATIENCE_S", 0.5)
    _free.clear()
    source = {"url": "mqtt://127.0.0.1:1", "topic": "sensors/watch"}
    model = {"name": "tiny", "load_timeout_s": 0.1, "run_timeout_s": 0.1, "source": source}
    config = settings.parse({"device": {"id": "device-01"}, "models": [model]}, tmp_path)
    beats, held = list[int](), 0

    with ManagerSocket(tmp_path) as manager, Outbox(tmp_path / "outbox.db") as outbox:

        def told() -> list[Event]:
            found = [row for row in rows_of(outbox) if isinstance(row, Event)]
            return [event for event in found if event.event == "model stalled"]

        def stopped() -> bool:
            """Twice the model is held until that is told and no beat heard, then free until one is."""
            nonlocal held
            beats.append(manager.beats())
            if not _free.is_set():
                if (len(told()) > held and beats.count(beats[-1]) > 3) or len(beats) > 200:
                    _free.set()
            elif beats[-1] > beats[-2]:
                held += 1
                if held == 1:
                    _free.clear()
            return held == 2

        store = Store(config.store)
        notifier = Notifier(manager.address, watchdog_s=0.001)
        with store.agent_lock():
            store.recover()
            sensors, books = brokers(config).sensors, Books(outbox, None)
            Supervisor(config, sensors, store, books, notifier).run(stopped)
        notifier.close()

        events = told()
    assert 0 < beats[1] < beats[-1]
    assert len(beats) < 200
    why = "its thread has not gone round for 1 s, and no time-out has ended that"
    assert [(event.model, event.detail) for event in events] == [("tiny", why)] * 2


def test_a_worker_that_does_not_load_is_told_of_by_model_and_version(tmp_path: Path) -> None:
    folder = slot(tmp_path, tiny_bundle(behaviour="hangs"))
    installed = installed_in(folder)
    source = {"url": "mqtt://127.0.0.1:1", "topic": "sensors/watch"}
    models = [{"name": "tiny", "load_timeout_s": 0.1, "source": source}]
    config = settings.parse({"device": {"id": "device-01"}, "models": models}, tmp_path)

    with Outbox(tmp_path / "outbox.db") as outbox:
        model = runner_of(config, outbox)
        model.start()
        model.serve(installed, None)
        try:
            wait_for(lambda: "took more" in model.trouble, "why it does not run")
        finally:
            model.stop(20)
        assert model.trouble.startswith("tiny 1.0.0: loading took more than 0.1 s")


def test_the_next_worker_answers_before_the_old_one_has_ended_and_a_stop_waits_for_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the old one's end nobody hears while the thread that keeps it is held at one of its lines."""
    monkeypatch.setenv(*own_engine(tmp_path, load="print('loads', flush=True)").popitem())
    free = threading.Event()
    folder = slot(tmp_path, tiny_bundle(engine="own"))
    installed = installed_in(folder)

    def held(_line: str) -> None:
        free.wait(60)

    old = Worker.start(folder, on_line=held)
    new = Worker.start(folder)
    source = {"url": "mqtt://127.0.0.1:1", "topic": "sensors/watch"}
    models = [{"name": "tiny", "source": source}]
    config = settings.parse({"device": {"id": "device-01"}, "models": models}, tmp_path)

    with Outbox(tmp_path / "outbox.db") as outbox:
        model = runner_of(config, outbox)
        model.start()
        model.serve(installed, old)
        wait_for(lambda: model.answering is old, "the first")
        model.serve(installed, new)
        wait_for(lambda: model.answering is new, "the next one")
        assert old.alive  # as far as is known

        stop = threading.Thread(target=model.stop, args=(20,))
        stop.start()
        wait_for(lambda: not new.alive, "the end of the next one")
        assert stop.is_alive()
        free.set()
        stop.join()
    assert not old.alive


def test_a_worker_whose_turn_never_comes_is_ended_by_the_next_one_and_by_a_stop(tmp_path: Path) -> None:
    folder = slot(tmp_path, tiny_bundle())
    installed = installed_in(folder)
    source = {"url": "mqtt://127.0.0.1:1", "topic": "sensors/watch"}
    config = settings.parse(
        {"device": {"id": "device-01"}, "models": [{"name": "tiny", "source": source}]}, tmp_path
    )
    first, second = Worker.start(folder), Worker.start(folder)
    with Outbox(tmp_path / "outbox.db") as outbox:
        model = runner_of(config, outbox)
        model.serve(installed, first)
        model.serve(installed, second)
        assert (first.alive, second.alive) == (False, True)
        model.begin_stop()
        model.start()
        model.stop(20)
        assert not second.alive


def test_what_is_given_up_is_not_started_again_unless_that_could_not_be_written_down(
    tmp_path: Path,
) -> None:
    folder = slot(tmp_path, tiny_bundle())
    installed = installed_in(folder)
    source = {"url": "mqtt://127.0.0.1:1", "topic": "sensors/watch"}
    config = settings.parse(
        {"device": {"id": "device-01"}, "models": [{"name": "tiny", "source": source}]}, tmp_path
    )
    with Outbox(tmp_path / "outbox.db") as outbox:
        model = runner_of(config, outbox)
        model.start()
        try:
            model.serve(installed, None)
            first = wait_for(lambda: model.answering, "a worker")
            with pytest.raises(StorageError), model.giving_up(installed.digest):
                raise StorageError("no space is left.")
            with model.giving_up("another"):
                first.kill()
            second = wait_for(lambda: (now := model.answering) is not first and now, "another worker")

            with model.giving_up(installed.digest):
                second.kill()
            wait_for(lambda: "SIGKILL" in model.trouble, "its end")
            assert not wait_for(lambda: model._serving, "what is given up").living()
        finally:
            model.stop(20)


def test_each_models_workers_are_started_as_that_model_is_configured(tmp_path: Path) -> None:
    """Its limit of memory, as the kernel holds it, and its priority, variant and time."""
    folder = slot(tmp_path, tiny_bundle(variants={"slow": "slow", "fast": "good"}))
    source = {"url": "mqtt://127.0.0.1:1", "topic": "sensors/watch"}
    models = [
        {"name": "first", "memory_mb": 300, "realtime": {"priority": 12}, "source": source},
        {"name": "tiny", "memory_mb": 200, "variant": "fast", "load_timeout_s": 7, "source": source},
    ]
    config = settings.parse({"device": {"id": "device-01", "board": "pi4"}, "models": models}, tmp_path)

    def started(model: ModelConfig, books: Books) -> tuple[str, int, str, float]:
        """Its soft limit in bytes, its real-time priority, the variant, and how long it may load."""
        chooser = ModelRunner(config, model, broker(model.source), books).chooser
        with chooser.start(folder) as worker:
            worker.wait_ready()
            limits = Path(f"/proc/{worker.pid}/limits").read_text().split("Max data size")[1].split()
            priority = os.sched_getparam(worker.pid).sched_priority
            assert chooser.key.max_bytes == int(limits[0])
            return limits[0], priority, worker.info.variant, chooser.limits.load_s

    with Outbox(tmp_path / "outbox.db") as outbox:
        books = Books(outbox, None)
        assert [started(model, books) for model in config.models] == [
            ("300000000", 12 if may_raise(12) else 0, "slow", 60.0),
            ("200000000", 0, "fast", 7.0),
        ]
