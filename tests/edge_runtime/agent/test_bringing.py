"""What the configuration brings is installed once it can be, and a bundle that is refused is let be."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import config as settings
from edge_runtime.agent import bringing as module
from edge_runtime.agent.books import Books
from edge_runtime.agent.bringing import Bringing
from edge_runtime.agent.slots import Slots
from edge_runtime.bundle import load_root
from edge_runtime.errors import StorageError, TrustError
from edge_runtime.store.disk import Store
from edge_runtime.store.slots import ModelState, Slot
from edge_runtime.telemetry.messages import Event
from edge_runtime.telemetry.outbox import Outbox
from tests.support.agent import device
from tests.support.brokers import Mosquitto
from tests.support.outbox_rows import rows_of
from tests.support.tiny_bundle import OTHER_KEY, root_bytes, tiny_bundle
from tests.support.waiting import wait_for


class Rig:
    """An agent's store without anything, one turn at a time; the configuration brings `tiny.edge`."""

    def __init__(self, folder: Path, outbox: Outbox) -> None:
        self.trust, self._file = folder / "root.json", folder / "tiny.edge"
        self.trust.write_bytes(root_bytes())
        source = {"url": "mqtt://127.0.0.1:1", "topic": "sensors/watch"}
        device = {"id": "device-01", "trust": "root.json"}
        models = [{"name": "tiny", "bundle": "tiny.edge", "source": source}]
        config = settings.parse({"device": device, "models": models}, folder)
        self.store = Store(config.store)
        self._outbox = outbox
        self._slots = Slots(self.store, Books(outbox, None), {})
        self._bringing = Bringing(config, self._slots)

    def put(self, version: str, **options: object) -> None:
        """As an editor or rsync puts it in place: at once, and whole."""
        new = self._file.with_suffix(".new")
        new.write_bytes(tiny_bundle(version=version, **options))  # type: ignore[arg-type]
        new.replace(self._file)

    def begin(self) -> None:
        self._slots.begin()
        self._bringing.begin()

    def turn(self) -> None:
        self._slots.look()
        self._bringing.step()

    @property
    def told(self) -> list[str]:
        """Why it was not installed."""
        found = (row for row in rows_of(self._outbox) if isinstance(row, Event))
        return [event.detail for event in found if event.event == "install failed"]

    @property
    def model(self) -> ModelState:
        return self.store.state().models.get("tiny", ModelState())

    @property
    def pending(self) -> str:
        return self.model.slots[self.model.pending].version if self.model.pending else ""


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """Where it is a matter of time whether it is tried again, it is at once."""
    monkeypatch.setattr(module, "rarely_s", lambda _: 0.0)
    monkeypatch.setattr(module, "_SETTLES_S", 0.0)
    monkeypatch.setattr(module, "_LOCK_WAIT_S", 0.0)
    with Outbox(tmp_path / "outbox.db") as outbox:
        made = Rig(tmp_path, outbox)
        with made.store.agent_lock():
            yield made


def test_what_fails_for_the_machines_fault_is_tried_again_and_told_once(rig: Rig) -> None:
    rig.put("1.0.0")
    with rig.store._installing(0):
        rig.begin()
        rig.turn()
        rig.turn()
    assert rig.pending == ""
    (told,) = rig.told
    assert "another install is under way" in told
    assert told.endswith("It is tried again by itself.")

    rig.turn()
    assert rig.pending == "1.0.0"


def test_what_an_install_pinned_before_it_failed_is_no_reason_to_try_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StorageError("no space is left.")

    monkeypatch.setattr(module, "rarely_s", lambda _: 3600.0)
    rig.put("1.0.0")
    with monkeypatch.context() as disk:
        disk.setattr(Store, "_install", full)
        rig.begin()
    assert rig.store.trusted_root() is not None
    for _ in range(3):
        rig.turn()
    assert rig.pending == ""


def test_who_is_trusted_may_be_told_while_an_install_fails(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told_meanwhile(*_: object) -> None:
        (rig.store.root / "trust" / "root.json").write_bytes(root_bytes() + b" ")
        raise TrustError("it is signed by others.")

    rig.store._create()
    rig.store._pin(load_root(rig.trust), rig.store.clock())
    rig.put("1.0.0")
    with monkeypatch.context() as others:
        others.setattr(Store, "_install", told_meanwhile)
        rig.begin()
    rig.turn()
    assert rig.pending == "1.0.0"


def test_after_a_fault_of_ours_it_is_tried_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: object, **__: object) -> None:
        raise RuntimeError("this cannot be")

    rig.put("1.0.0")
    with monkeypatch.context() as ours:
        ours.setattr(Store, "install", fault)
        with pytest.raises(RuntimeError):
            rig.begin()
    rig.turn()
    assert rig.pending == "1.0.0"


def test_it_is_tried_again_more_and_more_rarely(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(module, "rarely_s", lambda failures: asked.append(failures) or 0.0)
    rig.begin()
    for _ in range(3):
        rig.turn()
    assert asked == [1, 2, 3, 4]

    monkeypatch.setattr(module, "rarely_s", lambda _: 3600.0)
    rig.turn()  # it fails once more
    rig.put("1.0.0")
    rig.turn()
    assert rig.pending == "1.0.0"  # a file that appears is not waited for


def test_a_bundle_that_is_refused_for_its_own_sake_is_let_be_until_its_file_is_another(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    install = Store.install

    def counted(store: Store, path: Path, **named: Any) -> Slot:
        opened.append(path)
        return install(store, path, **named)

    monkeypatch.setattr(Store, "install", counted)
    rig.put("1.0.0", key=OTHER_KEY)
    rig.begin()
    for _ in range(3):
        rig.turn()
    assert len(opened) == 1
    (told,) = rig.told
    assert told.endswith("It is tried again once tiny.edge or root.json is another.")

    rig.put("1.0.0")
    rig.turn()
    assert rig.pending == "1.0.0"


def test_whom_it_trusts_may_be_told_later(rig: Rig) -> None:
    rig.put("1.0.0", key=OTHER_KEY)
    rig.begin()
    rig.trust.write_bytes(root_bytes(OTHER_KEY))
    os.utime(rig.trust, ns=(0, 0))  # for it may be of the same time and size
    rig.turn()
    assert rig.pending == "1.0.0"


def test_a_slow_copy_is_told_once(rig: Rig, capfd: pytest.CaptureFixture[str]) -> None:
    whole = tiny_bundle(version="1.0.0")
    rig.begin()
    for part in (100, 200, 300, len(whole)):
        (rig.trust.parent / "tiny.edge").write_bytes(whole[:part])
        rig.turn()
    assert rig.pending == "1.0.0"
    assert capfd.readouterr().err.count("installs tiny.edge, as nothing is installed yet") == 1


def test_a_root_file_that_is_half_a_copy_is_what_has_to_be_another(rig: Rig) -> None:
    rig.put("1.0.0")
    rig.trust.write_bytes(root_bytes()[:50])
    rig.begin()
    (told,) = rig.told
    assert told.endswith("It is tried again once tiny.edge or root.json is another.")


def test_where_the_bundle_does_not_fit_the_configuration_may_be_changed_instead(rig: Rig) -> None:
    rig.put("1.0.0", name="other")
    rig.begin()
    (told,) = rig.told
    assert told.endswith("is another, or the configuration is changed and the agent restarted.")


def test_a_bundle_that_is_damaged_has_to_be_another_itself(rig: Rig) -> None:
    (rig.trust.parent / "tiny.edge").write_bytes(b"no bundle")
    rig.begin()
    (told,) = rig.told
    assert told.endswith("It is tried again once tiny.edge is another.")


def test_a_file_that_still_changes_is_left_alone(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a copy is no bundle."""
    rig.begin()
    assert len(rig.told) == 1
    monkeypatch.setattr(module, "_SETTLES_S", 3600.0)
    rig.put("1.0.0")
    rig.turn()
    rig.turn()
    assert (rig.pending, len(rig.told)) == ("", 1)


def test_what_was_rejected_is_not_brought_again_but_what_took_its_files_place_meanwhile_is(
    rig: Rig,
) -> None:
    rig.put("1.0.0")
    rig.begin()
    rig.turn()
    rig.store.rejected("tiny", rig.model.pending or "", "it gives other outputs.")
    rig.turn()
    assert (rig.pending, rig.told) == ("", [])

    rig.put("1.1.0")
    rig.turn()
    assert rig.pending == "1.1.0"
    digest = rig.model.pending or ""
    rig.turn()
    rig.put("1.2.0")
    rig.store.rejected("tiny", digest, "it gives other outputs.")
    rig.turn()
    rig.turn()
    assert rig.pending == "1.2.0"


@pytest.mark.end_to_end
def test_a_bundle_that_comes_late_is_installed_by_the_agent_that_runs(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with device(tmp_path, broker.url) as rig:
        bundle = tmp_path / "tiny-1.0.0.edge"
        bundle.rename(tmp_path / "away")
        rig.start()
        (told,) = rig.events("install failed")
        assert "No such file or directory" in told.detail
        assert rig.ready["running"] == {}

        (tmp_path / "away").rename(bundle)
        wait_for(lambda: rig.ready["running"] == {"tiny": "1.0.0"}, "the model to run")
        assert len(rig.events("install failed")) == 1
