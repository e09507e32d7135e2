"""When a pending bundle is tried again, and that another one does not wait for it."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_runtime import config as settings
from edge_runtime.agent import trials as module
from edge_runtime.agent.books import Books
from edge_runtime.agent.on_trial import OnTrial
from edge_runtime.agent.serving import Served
from edge_runtime.agent.slots import Slots
from edge_runtime.agent.trials import Trials
from edge_runtime.bundle import load_root
from edge_runtime.config import TrialConfig
from edge_runtime.errors import EngineError, StorageError
from edge_runtime.store.disk import Store
from edge_runtime.store.slots import ModelState
from edge_runtime.telemetry.messages import Event
from edge_runtime.telemetry.outbox import Outbox
from tests.support.footprint import children
from tests.support.outbox_rows import rows_of
from tests.support.tiny_bundle import root_bytes, tiny_bundle
from tests.support.waiting import wait_for


class Rig:
    """The trials of a store, one turn at a time; no model is configured."""

    def __init__(self, folder: Path, outbox: Outbox) -> None:
        self._folder = folder
        (folder / "root.json").write_bytes(root_bytes())
        config = settings.parse({"device": {"id": "device-01", "board": "pi4"}, "models": []}, folder)
        books = Books(outbox, None)
        self._outbox = outbox
        self._of_other_tests = set(children(os.getpid()))
        self.store = Store(config.store)
        self.slots = Slots(self.store, books, {})
        self.trials = Trials(config, self.store, books, {}, self.slots)

    def install(self, version: str, **options: object) -> None:
        path = self._folder / f"tiny-{version}.edge"
        path.write_bytes(tiny_bundle(version=version, **options))  # type: ignore[arg-type]
        self.store.install(path, root=load_root(self._folder / "root.json"))

    def turn(self) -> None:
        """As `Installs.step` does it."""
        self.slots.look()
        self.trials.finish()
        self.slots.look()
        self.trials.begin()

    def told(self, name: str) -> list[Event]:
        return [row for row in rows_of(self._outbox) if isinstance(row, Event) and row.event == name]

    def started(self) -> set[int]:
        """Processes that there are since."""
        return set(children(os.getpid())) - self._of_other_tests

    @property
    def model(self) -> ModelState:
        return self.store.state().models["tiny"]


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """What failed once is not tried again within a test."""
    monkeypatch.setattr(module, "rarely_s", lambda _: 3600.0)
    with Outbox(tmp_path / "outbox.db") as outbox:
        made = Rig(tmp_path, outbox)
        with made.store.agent_lock():
            made.store.recover()
            yield made
            made.trials.stop()


def test_another_bundle_does_not_wait_for_the_one_before_it(rig: Rig) -> None:
    rig.install("1.0.0", boards=("pi5",))
    rig.turn()
    assert [event.version for event in rig.told("trial failed")] == ["1.0.0"]
    assert "fp32 is made for pi5 (this is pi4)" in rig.trials.waits("tiny")
    assert rig.slots.errors() == {"tiny": rig.trials.waits("tiny")}

    rig.install("1.1.0")
    rig.turn()

    assert rig.model.slots[rig.model.pending or ""].state == "trial"
    assert rig.trials.waits("tiny") == ""
    assert rig.slots.errors() == {}  # nobody wants that version any more


def test_one_that_waits_is_not_tried_before_its_time_unless_it_is_asked_for_anew(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = list[str]()
    look: Callable[[str, str], object] = rig.trials._why_not_here

    def counted(name: str, digest: str) -> object:
        tried.append(digest)
        return look(name, digest)

    monkeypatch.setattr(rig.trials, "_why_not_here", counted)
    rig.install("1.0.0", boards=("pi5",))
    for _ in range(3):
        rig.turn()
    assert len(tried) == 1

    rig.store.judged("tiny", tried[0], "withdraw", "its files are damaged")
    rig.turn()
    rig.install("1.0.0", boards=("pi5",))
    rig.turn()
    assert len(tried) == 2


def test_what_a_version_that_is_active_no_more_could_not_do_is_nobodys_fault(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A runner knows of it until it has gone over to the one that is."""

    class Behind:
        fault = "d" * 64, EngineError("it cannot run.")

    loaded(rig)
    rig.turn()
    before = rig.model
    monkeypatch.setattr(rig.slots, "_runners", {"tiny": Behind()})
    rig.slots.judge_runners()
    assert rig.model == before


def failed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> str:
    """1.0.0 serves on trial, in its first attempt, and has failed; its digest."""
    rig.install("1.0.0")
    rig.turn()
    digest = rig.model.pending or ""
    rig.trials._loading.pop("tiny").cancel()

    class Failing:
        served = Served(digest, 3, "it answered NaN.")

    monkeypatch.setattr(rig.trials, "_runners", {"tiny": Failing()})
    rig.trials._live["tiny"] = OnTrial(digest, TrialConfig(), None)
    return digest


def test_an_attempt_that_failed_while_it_served_is_followed_by_another_after_a_pause(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = failed(rig, monkeypatch)
    monkeypatch.setattr(OnTrial, "pause_s", 3600.0)
    rig.slots.look()
    rig.trials.judge()
    rig.trials.begin()
    assert rig.trials._loading == {}
    (told,) = rig.told("trial failed")
    assert told.detail == "it answered NaN. 2 of 3 attempts are left, the next in 3600 s."

    monkeypatch.setattr(OnTrial, "pause_s", 0.0)
    rig.trials._live["tiny"] = OnTrial(digest, TrialConfig(), None)
    rig.trials.judge()
    monkeypatch.setattr(rig.trials, "_runners", {})
    rig.trials.begin()
    assert rig.trials._loading["tiny"].digest == digest
    assert rig.model.slots[digest].reason == "it answered NaN."


def test_after_the_last_attempt_it_is_rejected_without_a_pause(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = failed(rig, monkeypatch)
    monkeypatch.setattr(OnTrial, "pause_s", 3600.0)
    for _ in range(2):
        rig.store.tried("tiny", digest, 3)
    rig.slots.look()
    rig.trials.judge()
    rig.trials.begin()
    (bad,) = rig.model.bad.values()
    assert bad.reason == "3 of 3 attempts of its trial failed; the last: it answered NaN."


def test_what_a_trial_lacks_is_told_anew_every_few_seconds_only(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is told of it writes it."""

    class Predicting:
        served = Served("d" * 64, 3, "")

    monkeypatch.setattr(rig.trials, "_runners", {"tiny": Predicting()})
    monkeypatch.setattr(module, "_LACKS_EVERY_S", 3600.0)

    def serves() -> None:
        asked = TrialConfig(predictions=10, serve_s=0)
        monkeypatch.setattr(rig.trials, "_live", {"tiny": OnTrial("d" * 64, asked, None)})

    assert rig.trials.lacks() == {}
    serves()
    assert rig.trials.lacks() == {"tiny": "7 of 10 good predictions"}
    Predicting.served = Served("d" * 64, 4, "")
    assert rig.trials.lacks() == {"tiny": "7 of 10 good predictions"}
    monkeypatch.setattr(rig.trials, "_live", {})
    assert rig.trials.lacks() == {}
    monkeypatch.setattr(module, "_LACKS_EVERY_S", 0.0)
    serves()
    assert rig.trials.lacks() == {"tiny": "6 of 10 good predictions"}
    Predicting.served = Served("d" * 64, 5, "")
    assert rig.trials.lacks() == {"tiny": "5 of 10 good predictions"}
    rig.trials._live.clear()


def loaded(rig: Rig) -> str:
    """Install 1.0.0 and let it load until it has given its golden outputs; its digest."""
    rig.install("1.0.0")
    rig.turn()
    wait_for(lambda: rig.trials._loading["tiny"].done, "the load")
    return rig.model.pending or ""


def test_how_many_attempts_are_left_stands_in_the_event_and_not_in_why_it_waits(rig: Rig) -> None:
    """status says it beside that: of the store, and so of now."""
    digest = loaded(rig)
    rig.trials._ended("tiny", rig.model.slots[digest], "tiny 1.0.0: it was ended.", pause_s=5.0)
    (told,) = rig.told("trial failed")
    assert told.detail == "it was ended. 2 of 3 attempts are left, the next in 5 s."
    assert rig.trials.waits("tiny") == "it was ended."


def test_a_model_that_no_stream_feeds_is_confirmed_by_its_goldens_and_does_not_run(rig: Rig) -> None:
    digest = loaded(rig)
    rig.turn()
    assert (rig.model.active, rig.model.pending) == (digest, None)
    assert [event.version for event in rig.told("confirmed")] == ["1.0.0"]
    assert rig.started() == set()


def test_what_is_good_and_cannot_be_written_down_waits_and_leaves_no_process(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StorageError("no space is left.")

    digest = loaded(rig)
    with monkeypatch.context() as disk:
        disk.setattr(rig.store, "proved", full)
        with pytest.raises(StorageError):
            rig.turn()
        assert rig.started() == set()
        assert rig.trials.waits("tiny") == "no space is left."
        rig.turn()  # it waits
        disk.setattr(rig.store, "refunded", full)
        rig.trials._loading["tiny"] = rig.trials._load("tiny", rig.model.slots[digest])
        rig.trials.stop()
    assert [event.detail for event in rig.told("store trouble")] == ["no space is left."]
    assert (rig.model.active, rig.model.pending) == (None, digest)


def test_where_no_thread_is_left_the_bundle_waits_and_no_attempt_is_spent(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def none_left(thread: threading.Thread) -> None:
        if thread.name.startswith("trial-"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", none_left)
    rig.install("1.0.0")
    for _ in range(5):
        rig.turn()

    (told,) = rig.told("trial failed")
    assert told.detail == "it cannot be tried now: RuntimeError: can't start new thread."
    waiting = rig.model.slots[rig.model.pending or ""]
    assert (waiting.state, waiting.attempts, rig.model.bad) == ("trial", waiting.allowed, {})
    rig.trials._loading["tiny"] = rig.trials._load("tiny", waiting)
    rig.trials.stop()  # which has nothing to wait for
