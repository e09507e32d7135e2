"""What the main loop tells of itself, and when."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import config as settings
from edge_runtime.agent import supervisor as module
from edge_runtime.agent.books import Books
from edge_runtime.agent.supervisor import Supervisor
from edge_runtime.service.notify import Notifier
from edge_runtime.store.disk import Store
from edge_runtime.telemetry.outbox import Outbox

SOURCE = {"url": "mqtt://127.0.0.1:1", "topic": "sensors/watch"}


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
    models = [{"name": "tiny", "source": SOURCE}]
    config = settings.parse({"device": {"id": "device-01"}, "models": models}, tmp_path)
    told: list[str] = []
    counts: list[int] = []

    def stopped() -> bool:
        """Ten turns in which nothing changes, then one thing does."""
        counts.append(len(made))
        if len(counts) == 11:
            agent._runners["tiny"].run_every(2)
        return len(counts) > 20

    with Outbox(tmp_path / "outbox.db") as outbox:
        store = Store(config.store)
        with store.agent_lock():
            store.recover()
            books = Books(outbox, None)
            agent = Supervisor(config, store, books, Notifier(), None, tell_commands=told.append)
            agent.run(stopped)

    assert made == ["report", "status"] * 2
    assert counts[1:11] == [2] * 10
    assert told == ['{"runs":{"tiny":""},"waits":{}}'] * 2
