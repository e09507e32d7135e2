"""What is told once, and what again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime import config as settings
from edge_runtime.agent.books import Books, open_books
from edge_runtime.agent.brokers import brokers
from edge_runtime.telemetry.messages import Event, ModelReport, SlotReport
from edge_runtime.telemetry.outbox import Outbox
from tests.support.outbox_rows import rows_of


class Rig:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._books = Books(outbox, None)

    def note(self, detail: str, model: str = "tiny", version: str = "1.0.0", digest: str = "a") -> None:
        self._books.note_once("trial failed", model, version, detail, digest=digest)

    @property
    def told(self) -> list[tuple[str, str, str]]:
        events = [row for row in rows_of(self._outbox) if isinstance(row, Event)]
        return [(event.model, event.version, event.detail) for event in events]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Outbox(tmp_path / "outbox.db") as outbox:
        yield Rig(outbox)


def test_a_reason_is_told_once_whatever_numbers_it_holds(rig: Rig) -> None:
    for pid in (7, 812):
        rig.note(f"process {pid} was ended")
    assert rig.told == [("tiny", "1.0.0", "process 7 was ended")]


def test_reasons_that_take_turns_are_told_once_each(rig: Rig) -> None:
    for _ in range(3):
        rig.note("it was ended")
        rig.note("it took too long")
    assert [detail for _, _, detail in rig.told] == ["it was ended", "it took too long"]


def test_another_model_version_or_bundle_is_told_for_the_same_reason(rig: Rig) -> None:
    rig.note("it was ended")
    rig.note("it was ended", model="other")
    rig.note("it was ended", version="1.0.1")
    rig.note("it was ended", digest="b")
    assert [told[:2] for told in rig.told] == [
        ("tiny", "1.0.0"),
        ("other", "1.0.0"),
        ("tiny", "1.0.1"),
        ("tiny", "1.0.0"),
    ]


def test_a_reason_of_long_ago_is_told_again(rig: Rig) -> None:
    rig.note("it was ended")
    for word in "abcdefgh":
        rig.note(word)
    rig.note("it was ended")
    assert len(rig.told) == 10


def test_a_state_that_is_too_much_for_one_message_is_told(tmp_path: Path) -> None:
    fleet = {"url": "mqtt://127.0.0.1:1"}
    config = settings.parse({"device": {"id": "device-01"}, "fleet": fleet, "models": []}, tmp_path)
    slot = SlotReport(version="1.0.0", release=1, digest="d" * 64, state="bad", reason="x" * 2_000)
    huge = ModelReport(name="tiny", active="", version="", slots=(slot,) * 1_000)
    with open_books(config, brokers(config).fleet) as books:
        for _ in range(2):
            books.report([huge])
    with Outbox(config.outbox) as outbox:
        (event,) = [row for row in rows_of(outbox) if isinstance(row, Event)]
    assert event.event == "state not reported"
    assert event.detail.endswith("too much for one message.")
