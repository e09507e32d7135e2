"""When what is active is measured beside what serves, step by step, and when that is left alone."""

import threading
from pathlib import Path

from edge_runtime import config as settings
from edge_runtime.agent.books import Books
from edge_runtime.agent.brokers import broker
from edge_runtime.agent.choosing import Choosing
from edge_runtime.agent.runner import ModelRunner
from edge_runtime.agent.slots import Slots
from edge_runtime.telemetry.outbox import Outbox
from tests.edge_runtime.store.rig import Shelf
from tests.support.waiting import wait_for


def _is_measuring() -> bool:
    return any(thread.name == "trial-tiny" for thread in threading.enumerate())


def test_beside_a_version_on_trial_or_pending_nothing_is_measured(tmp_path: Path) -> None:
    source = {"url": "mqtt://127.0.0.1:1", "topic": "sensors/watch"}
    config = settings.parse(
        {"device": {"id": "device-01"}, "models": [{"name": "tiny", "source": source}]}, tmp_path
    )
    (model,) = config.models
    shelf = Shelf(tmp_path)
    shelf.run("1.0.0", variants={"slow": "slow", "fast": "good"})
    with Outbox(tmp_path / "outbox.db") as outbox:
        books = Books(outbox, None)
        runners = {"tiny": ModelRunner(config, model, broker(model.source), books)}
        slots = Slots(shelf.store, books, runners)
        choosing = Choosing(shelf.store, books, runners, slots)
        runners["tiny"].start()
        try:
            slots.begin()
            wait_for(lambda: runners["tiny"].digest, "the active version")

            choosing.step(on_trial={"tiny"})
            assert not _is_measuring()
            choosing.step(on_trial=())
            assert _is_measuring()

            shelf.install("1.1.0", seed=1)
            slots.look()
            choosing.step(on_trial=())
            wait_for(lambda: not _is_measuring(), "its end")
            choosing.step(on_trial=())
            assert not _is_measuring()
            assert not choosing.is_measured("tiny")
        finally:
            choosing.stop()
            runners["tiny"].stop(20)
