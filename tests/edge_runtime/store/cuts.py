"""One path walked over the model of a disk: what it did, and what each power cut would leave of it."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from edge_runtime.errors import EdgeError
from tests.edge_runtime.store.paths import WritePath
from tests.edge_runtime.store.promises import View, broken, look, next_fault, restart
from tests.edge_runtime.store.rig import Shelf, damage
from tests.support.disk_recorder import PowerCut, Recorder
from tests.support.power_loss import Crash

Found = tuple[View | None, str]  # what was there after the restart, and what is wrong with it


class Walk:
    """A path on a shelf in a folder of its own. `states`: how many disks were looked at."""

    def __init__(self, path: WritePath, folder: Path) -> None:
        self.path = path
        self.states = 0
        self._disk = folder / "disk"
        self._disk.mkdir()
        self.shelf = Shelf(folder, "disk/store")
        path.prepare(self.shelf)
        self._prepared = folder / "prepared"
        shutil.copytree(self._disk, self._prepared)
        self.before = look(self.shelf.store)
        self._known: dict[object, Found] = {}
        self._started: dict[object, Found] = {}

    def record(self) -> Recorder:
        """Do it from the beginning; `after` is what there is then."""
        with self._recorder() as recorder:
            self.path.act(self.shelf)
        self.after = look(self.shelf.store)
        return recorder

    def killed(self, stop: int) -> tuple[Recorder, bool] | None:
        """Do it, killed after `stop` events; then an agent starts, and the same is asked for again.

        Whether that said that it is done by now; None when it had ended before it could be killed.
        """
        with self._recorder(stop) as recorder:
            try:
                self.path.act(self.shelf)
            except PowerCut:
                recorder.stop_after = None
                assert restart(self.shelf.store, but=self.path.damaged) == ""
                if repeat := self.path.again or look(self.shelf.store) == self.before:
                    self.path.act(self.shelf)
                return recorder, repeat
        return None

    @contextmanager
    def _recorder(self, stop: int | None = None) -> Iterator[Recorder]:
        shutil.rmtree(self._disk)
        shutil.copytree(self._prepared, self._disk)
        with Recorder(self._disk, stop) as recorder:
            yield recorder

    def first_fault(self, crashes: Iterable[Crash], *, returned: bool = True) -> str:
        """What is wrong on the first disk that is not as promised; '' when all are.

        `returned`: the path had said that it is done before the last of these crashes.
        """
        states = self.states
        for crash in crashes:
            self.states += 1
            tree = crash.tree()
            if tree not in self._known:  # many cuts leave the same
                self._known[tree] = self._looked_at(crash)
            found, fault = self._known[tree]
            if not fault and crash.is_last and returned and found != self.after:
                fault = f"it had said that it is done: expected {self.after}, found {found}"
            if fault:
                return f"{fault}\n{crash.story}"
        assert self.states > states, "no disk was looked at"
        return ""

    def _looked_at(self, crash: Crash) -> Found:
        """The next start, the same once more, and the next version."""
        folder = self.shelf.folder / "crashed"
        shutil.rmtree(folder, ignore_errors=True)
        crash.materialise(folder)
        shelf = replace(self.shelf, store_name="crashed/store")
        try:
            if fault := restart(shelf.store, but=self.path.damaged):
                return None, fault
            started = frozenset(_contents(folder))
            if started not in self._started:  # starts make many alike
                self._started[started] = self._gone_on(shelf)
            return self._started[started]
        except EdgeError as error:
            return None, str(error)

    def _gone_on(self, shelf: Shelf) -> Found:
        found = look(shelf.store)
        fault = broken(self.path, self.before, found, self.after)
        if not fault and (self.path.again or found == self.before):
            fault = self._repeated(shelf)
        return found, fault or next_fault(shelf, self.before, but=self.path.damaged)

    def _repeated(self, shelf: Shelf) -> str:
        self.path.act(shelf)
        if (found := look(shelf.store)) != self.after:
            return f"repeated in vain: expected {self.after}, found {found}"
        return damage(shelf.store, but=self.path.damaged)


def _contents(folder: Path) -> Iterator[tuple[str, bytes | None]]:
    for parent, _, names in os.walk(folder):
        yield parent, None
        for name in names:
            yield f"{parent}/{name}", Path(parent, name).read_bytes()
