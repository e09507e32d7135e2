"""A real SIGKILL before every file-system call of an install, an activation and a rollback.

Whatever the instant: afterwards the active slot is whole, nothing is left over, and the same command
goes through.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_runtime.store.disk import Store
from tests.edge_runtime.store.rig import ROOT, Shelf, confirm, damage
from tests.support.sigkill import Killer

pytestmark = pytest.mark.end_to_end


def install_and_activate(shelf: Shelf, version: str) -> None:
    confirm(shelf.store, shelf.store.install(shelf.folder / f"tiny-{version}.edge", root=ROOT))


def roll_back_and_activate(shelf: Shelf) -> None:
    confirm(shelf.store, shelf.store.rollback())


@pytest.fixture
def memory_shelf() -> Iterator[Shelf]:
    """On a file system in memory: a kill does not ask whether bytes had reached a disk."""
    parent = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        yield Shelf(Path(folder))


def kill_everywhere(shelf: Shelf, action: Callable[..., None], *arguments: str) -> set[str | None]:
    """Kill before each call in turn, check, repeat; returns the versions found active in between."""
    before = shelf.folder / "before"
    if shelf.store.root.exists():
        shutil.copytree(shelf.store.root, before)
    found = set[str | None]()
    with Killer() as killer:
        for call in range(1, 1000):
            shutil.rmtree(shelf.store.root, ignore_errors=True)
            if before.exists():
                shutil.copytree(before, shelf.store.root)
            if not killer.killed(call, action, shelf, *arguments):
                assert call > 10, "too few calls were counted"
                return found
            found.add(active_after_recovery(shelf.store, call))
            if action is install_and_activate:  # to roll back twice is forth and back
                action(shelf, *arguments)
                assert damage(shelf.store) == "", f"repeated after a kill before call {call}"
    raise AssertionError("it never ends")


def active_after_recovery(store: Store, call: int) -> str | None:
    """The version that runs after a restart."""
    if not store.root.exists():
        return None
    store.recover()
    assert damage(store) == "", f"killed before call {call}"
    now = store.state().models.get("tiny")
    return now.slots[now.active].version if now and now.active else None


def test_the_first_install(memory_shelf: Shelf) -> None:
    memory_shelf.bundle("1.0.0")

    assert kill_everywhere(memory_shelf, install_and_activate, "1.0.0") == {None, "1.0.0"}


def test_an_update_that_also_removes_the_oldest_slot(memory_shelf: Shelf) -> None:
    memory_shelf.run("1.0.0"), memory_shelf.run("1.1.0"), memory_shelf.bundle("1.2.0")

    assert kill_everywhere(memory_shelf, install_and_activate, "1.2.0") == {"1.1.0", "1.2.0"}


def test_a_rollback(memory_shelf: Shelf) -> None:
    memory_shelf.run("1.0.0"), memory_shelf.run("1.1.0")

    assert kill_everywhere(memory_shelf, roll_back_and_activate) == {"1.0.0", "1.1.0"}
