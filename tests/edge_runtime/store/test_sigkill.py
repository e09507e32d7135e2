"""A real SIGKILL before every file-system call of each path that writes a store.

Whatever the instant: afterwards what runs is whole, nothing is left over, every promise is kept, and the
same command goes through, as does the next version.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.edge_runtime.store.paths import PATHS, WritePath
from tests.edge_runtime.store.promises import View, broken, look, next_fault, restart
from tests.edge_runtime.store.rig import Shelf
from tests.support.sigkill import Killer

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def memory_shelf() -> Iterator[Shelf]:
    """On a file system in memory: a kill does not ask whether bytes had reached a disk."""
    parent = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        yield Shelf(Path(folder))


@pytest.fixture(scope="module")
def killer() -> Iterator[Killer]:
    with Killer() as killer:
        yield killer


@pytest.mark.parametrize("name", PATHS)
def test_killed_before_any_call_it_is_the_old_or_the_new_and_goes_on(
    memory_shelf: Shelf, name: str, killer: Killer, record_property: Callable[[str, object], None]
) -> None:
    path, shelf = PATHS[name], memory_shelf
    path.prepare(shelf)
    prepared = Prepared(shelf)
    path.act(shelf)
    before, after = prepared.view, look(shelf.store)
    found = list[View]()
    for call in range(1, 1000):
        prepared.again()
        if not killer.killed(call, path.act, shelf):
            break
        found.append(checked(path, shelf, before, after))
    assert (before in found, found[-1]) == (True, after), "it was not killed at both of its ends"

    record_property("power: path", name)
    record_property("power: kills", len(found))


class Prepared:
    """A store as it was when this was made; `view`: what counts of it."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf, self._copy = shelf, shelf.folder / "before"
        self.view = look(shelf.store)
        if shelf.store.root.exists():
            shutil.copytree(shelf.store.root, self._copy)

    def again(self) -> None:
        shutil.rmtree(self._shelf.store.root, ignore_errors=True)
        if self._copy.exists():
            shutil.copytree(self._copy, self._shelf.store.root)


def checked(path: WritePath, shelf: Shelf, before: View, after: View) -> View:
    """What a kill left, once an agent has started."""
    assert restart(shelf.store, but=path.damaged) == ""
    found = look(shelf.store)
    assert broken(path, before, found, after) == ""
    if path.again or found == before:
        path.act(shelf)
        assert look(shelf.store) == after, "repeated in vain"
    assert next_fault(shelf, before, but=path.damaged) == ""
    return found
