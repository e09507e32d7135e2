"""What the main loop tells of itself, and when."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import config as settings
from edge_runtime.agent import supervisor as module
from edge_runtime.agent.books import Books
from edge_runtime.agent.brokers import brokers
from edge_runtime.agent.metrics import Meter
from edge_runtime.agent.supervisor import Supervisor
from edge_runtime.service.notify import Notifier
from edge_runtime.store.disk import Store
from edge_runtime.telemetry.messages import Event
from edge_runtime.telemetry.outbox import Outbox
from tests.support.outbox_rows import rows_of

SOURCE = {"url": "mqtt://127.0.0.1:1", "topic": "sensors/watch"}


@contextmanager
def running(folder: Path, told: list[str]) -> Iterator[tuple[Supervisor, Outbox]]:
    """An agent of one model without a bundle, whose sensor nobody can reach; `told`: to commands."""
    models = [{"name": "tiny", "source": SOURCE}]
    config = settings.parse({"device": {"id": "device-01"}, "models": models}, folder)
    store = Store(config.store)
    with Outbox(folder / "outbox.db") as outbox, store.agent_lock():
        store.recover()
        books = Books(outbox, None)
        sensors = brokers(config).sensors
        agent = Supervisor(config, sensors, store, books, Notifier(), tell_commands=told.append)
        yield agent, outbox


def test_what_is_told_is_made_anew_only_when_something_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop turns five times a second, for years, on a device that may live on a battery."""
    made: list[str] = []

    def counting(name: str) -> Callable[..., Any]:
        make = getattr(module, name)

        def counted(*values: Any, **named: Any) -> Any:
            made.append(name)
            return make(*values, **named)

        return counted

    for name in ("status", "report"):
        monkeypatch.setattr(module, name, counting(name))
    monkeypatch.setattr(module, "POLL_S", 0.001)
    monkeypatch.setattr(module, "_SETTLE_S", 0.0)
    told: list[str] = []
    counts: list[int] = []

    def stopped() -> bool:
        """Ten turns in which nothing changes, then one thing does."""
        counts.append(len(made))
        if len(counts) == 11:
            agent._runners["tiny"].run_every(2)
        return len(counts) > 20

    with running(tmp_path, told) as (agent, _):
        agent.run(stopped)

    assert made == ["report", "status"] * 2
    assert counts[1:11] == [2] * 10
    nothing = '"waits":{},"pending":{},"ways":{},"lacks":{},"counts":{},"counted":0.0,"in_memory":""'
    assert told == [f'{{"runs":{{"tiny":""}},{nothing}}}'] * 2


def test_a_fault_of_ours_is_told_once_and_all_else_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Meter) -> None:
        raise KeyError("taken")

    monkeypatch.setattr(Meter, "step", lambda self, last=False: None if last else fails(self))
    monkeypatch.setattr(module, "POLL_S", 0.001)
    monkeypatch.setattr(module, "_SETTLE_S", 0.0)
    turns = 0

    def stopped() -> bool:
        nonlocal turns
        turns += 1
        return turns > 10

    told: list[str] = []
    with running(tmp_path, told) as (agent, outbox):
        agent.run(stopped)
        events = [row for row in rows_of(outbox) if isinstance(row, Event)]

    assert [(event.event, event.detail) for event in events] == [("internal fault", "KeyError: 'taken'")]
    assert told  # by what comes after it on each turn
