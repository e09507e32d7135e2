"""What is recorded on a real ext4: a device's life in miniature, with the store and the outbox of today.

    python -m tests.support.ext4_life MOUNT MARK SHELF [FAULT]

After each step it writes to MARK what must be there from then on, whatever happens. FAULT names a
function of the store's plants, or `the_outbox_is_not_flushed`.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from edge_runtime.telemetry.messages import Event
from edge_runtime.telemetry.outbox import Outbox
from edge_runtime.telemetry.outbox_file import OutboxFile
from tests.edge_runtime.store import paths, plants
from tests.edge_runtime.store.promises import View, look
from tests.edge_runtime.store.rig import Shelf
from tests.support.tiny_bundle import KEY, OTHER_KEY

BOOT = "boot"
ROWS = 3
Step = tuple[str, Callable[[Shelf], object]]


@dataclass(frozen=True)
class Mark:
    """What was true when `step` was `done`, or was about to begin.

    view: of the store. safe: rows that the disk must have. appended: rows that it may have.
    """

    step: str
    done: bool
    view: View
    safe: int
    appended: int


def _install(version: str) -> Callable[[Shelf], object]:
    return lambda shelf: paths.install(shelf, version)


def _prune(shelf: Shelf) -> None:
    shelf.store.prune(1)


def _new_on_trial(shelf: Shelf) -> None:
    shelf.store.tried("tiny", paths.slot(shelf, "1.3.0").digest)


def _rejected(shelf: Shelf) -> None:
    shelf.store.rejected("tiny", paths.slot(shelf, "1.3.0").digest, "It hung.")


STEPS: tuple[Step, ...] = (
    ("first install", paths.first_install),
    ("install", _install("1.1.0")),
    ("tried", lambda shelf: shelf.store.tried("tiny", paths.slot(shelf, "1.1.0").digest)),
    ("proved", lambda shelf: shelf.store.proved("tiny", paths.slot(shelf, "1.1.0").digest)),
    ("confirm by command", paths.confirm_by_command),
    ("update", paths.update),
    ("rolled back", paths.rolled_back),
    ("root rotation", paths.rotate),
    ("install", _install("1.3.0")),
    ("tried", _new_on_trial),
    ("refunded", lambda shelf: shelf.store.refunded("tiny", paths.slot(shelf, "1.3.0").digest)),
    ("tried", _new_on_trial),
    ("rejected", _rejected),
    ("prune", _prune),
)


def prepare(folder: Path) -> None:
    """Bundles and the next root beside the disk."""
    shelf = Shelf(folder)
    for version, key in (("1.0.0", KEY), ("1.1.0", KEY), ("1.2.0", KEY), ("1.3.0", OTHER_KEY)):
        shelf.bundle(version, key=key)
    (folder / "root-2.json").write_bytes(paths.next_root(2, KEY, OTHER_KEY))


class Life:
    def __init__(self, disk: Path, mark: Path, shelf: Path) -> None:
        self._shelf = Shelf(shelf, str(disk / "store"))
        self._outbox_path, self._mark = disk / "outbox.db", mark
        self._appended = self._safe = 0

    def live(self) -> None:
        for name, act in STEPS:
            self._tell(name, done=False)
            act(self._shelf)
            self._tell(name, done=True)
            self._keep_rows()

    def _keep_rows(self) -> None:
        """An agent that is killed, so that only its next start flushes what it had appended."""
        child = os.fork()
        if not child:
            self._append_rows()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        self._safe, self._appended = self._appended, self._appended + ROWS

    def _append_rows(self) -> None:
        """An opening, whose commit waits for the disk, and rows, whose commits do not."""
        outbox = Outbox(self._outbox_path, boot_id=BOOT)
        self._safe = self._appended
        self._tell("outbox opened", done=True)
        for _ in range(ROWS):
            number = self._appended + 1
            row = Event(seq=0, time=0.0, event=f"row {number}", detail="x" * 2000)
            self._appended = outbox.append([row], meta={"place": b"%d" % number})
            self._tell("row", done=True)

    def _tell(self, step: str, *, done: bool) -> None:
        view = look(self._shelf.store)
        self._mark.write_bytes(msgspec.json.encode(Mark(step, done, view, self._safe, self._appended)))


def the_outbox_is_not_flushed(patch: pytest.MonkeyPatch) -> None:
    real = OutboxFile.transaction
    patch.setattr(OutboxFile, "transaction", lambda file, durable=False: real(file))


def main(disk: Path, mark: Path, shelf: Path, fault: str = "") -> None:
    if fault:
        plant = globals().get(fault) or getattr(plants, fault)
        plant(pytest.MonkeyPatch())
    Life(disk, mark, shelf).live()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]), *sys.argv[4:])
