"""What the tests of commands share: `edge-runtime` on a shelf's store, and an agent beside it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import cli
from edge_runtime.store.disk import Store
from edge_runtime.store.slots import Slot
from tests.edge_runtime.store.rig import Shelf
from tests.support.tiny_bundle import root_bytes


class Command:
    """Runs `edge-runtime` on the shelf's store and keeps what it printed."""

    def __init__(self, shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
        self.shelf, self.capsys, self.out, self.err = shelf, capsys, "", ""
        self.root = shelf.folder / "root.json"
        self.root.write_bytes(root_bytes())

    def __call__(self, *arguments: str | Path) -> int:
        code = cli.run([*map(str, arguments), "--store", str(self.shelf.store.root)])
        self.out, self.err = self.capsys.readouterr()
        assert "Traceback" not in self.err
        return code

    def install(self, version: str, *arguments: str | Path, **options: Any) -> int:
        return self("install", self.shelf.bundle(version, **options), "--trust", self.root, *arguments)

    def document(self, *arguments: str | Path) -> dict[str, Any]:
        """What the command prints with --json."""
        assert self(*arguments, "--json") == 0, self.err
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document


class AgentGoneError(Exception):
    pass


@contextmanager
def agent(store: Store, decide: Callable[[Slot], None]) -> Iterator[None]:
    """The part of an agent that a store sees: it holds the lock and decides on what is pending."""
    ready, end = threading.Event(), threading.Event()

    def run() -> None:
        with suppress(AgentGoneError), store.agent_lock():
            ready.set()
            while not end.wait(0.01):
                for now in store.state().models.values():
                    if now.pending:
                        decide(now.slots[now.pending])

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        end.set()
        thread.join()
