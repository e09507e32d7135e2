"""Every path of ours that writes a store: how it begins, what it does, and what it may leave.

Two harnesses walk them: power cuts in a model of a disk, and real kills of a real process.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

from cryptography.hazmat.primitives.asymmetric import ec

from edge_runtime.bundle.root_file import Terms, add_signature, draft
from edge_runtime.clock import Clock
from edge_runtime.store.disk import Store
from edge_runtime.store.slots import ModelState, Slot
from tests.edge_runtime.store.rig import ROOT, Shelf, confirm
from tests.support.tiny_bundle import KEY, MODEL_FILE, OTHER_KEY

_EXPIRES = datetime(2046, 1, 1, tzinfo=timezone.utc)
_NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class WritePath:
    """One thing that a command or an agent does to a store that `prepare` has made.

    `act` is a module's function, so that it can be run in another process. The rest is what it may do
    that no other path may: `refunds` an attempt; `retries` what was bad; `damaged` names
    a version whose files are not whole, or not signed, before. `again`: saying it twice is the same as
    once, so that a success of the second counts as much as one of the first.
    """

    name: str
    prepare: Callable[[Shelf], object]
    act: Callable[[Shelf], object]
    again: bool = True
    refunds: bool = False
    retries: bool = False
    damaged: str = ""


def next_root(version: int, old: ec.EllipticCurvePrivateKey, new: ec.EllipticCurvePrivateKey) -> bytes:
    """A root that hands everything from one key to another."""
    public = [new.public_key()]
    raw = draft(Terms(version, _EXPIRES, public, public))
    return add_signature(add_signature(raw, old), new)


def slot(shelf: Shelf, version: str) -> Slot:
    """The installed slot of a version of the model `tiny`."""
    now = shelf.store.state().models.get("tiny", ModelState())
    (found,) = (one for one in now.slots.values() if one.version == version)
    return found


def _synchronized(shelf: Shelf) -> Store:
    """A store whose clock is right, so that `trust/seen` is written."""
    now = Clock(_NOW, believed=True, why="is right", synchronized=True)
    return Store(shelf.store.root, lock_wait_s=1, read_clock=lambda seen: now)


# How a store begins: `tiny` 1.0.0 and 1.1.0 were confirmed, 1.2.0 comes next.


def _nothing(shelf: Shelf) -> None:
    shelf.bundle("1.0.0")


def _two_good(shelf: Shelf) -> None:
    shelf.run("1.0.0"), shelf.run("1.1.0")
    shelf.bundle("1.2.0")


def _many_good(shelf: Shelf) -> None:
    shelf.run("1.0.0")
    shelf.store.prune(4)
    shelf.run("1.1.0"), shelf.run("1.2.0"), shelf.run("1.3.0")


def _one_without_a_root(shelf: Shelf) -> None:
    shelf.bundle("1.2.0")
    confirm(shelf.store, shelf.store.install(shelf.bundle("1.0.0", key=None), allow_unsigned=True))


def _waiting(shelf: Shelf, floor: int = 0) -> None:
    _two_good(shelf)
    shelf.install("1.2.0", floor=floor)


def _on_trial(shelf: Shelf, attempts: int = 3) -> None:
    _waiting(shelf)
    shelf.store.tried("tiny", slot(shelf, "1.2.0").digest, attempts)


def _on_its_last_attempt(shelf: Shelf) -> None:
    _on_trial(shelf, attempts=1)


def _rejected(shelf: Shelf) -> None:
    _on_trial(shelf)
    rejected(shelf)


def _proved(shelf: Shelf) -> None:
    _on_trial(shelf)
    shelf.store.proved("tiny", slot(shelf, "1.2.0").digest)


def _proved_with_a_floor(shelf: Shelf) -> None:
    _waiting(shelf, floor=1_002_000)
    shelf.store.tried("tiny", slot(shelf, "1.2.0").digest)
    shelf.store.proved("tiny", slot(shelf, "1.2.0").digest)


def _damaged(shelf: Shelf) -> None:
    _two_good(shelf)
    path = shelf.store.slot_path("tiny", slot(shelf, "1.1.0").digest) / MODEL_FILE
    path.write_bytes(b"worn out")


def _next_root_at_hand(shelf: Shelf) -> None:
    _two_good(shelf)
    (shelf.folder / "root-2.json").write_bytes(next_root(2, KEY, OTHER_KEY))


def _going_back(shelf: Shelf) -> None:
    _two_good(shelf)
    shelf.store.rollback()


# What is done to it.


def install(shelf: Shelf, version: str = "1.2.0") -> Slot:
    return shelf.store.install(shelf.folder / f"tiny-{version}.edge", root=ROOT)


def retry(shelf: Shelf) -> None:
    shelf.store.install(shelf.folder / "tiny-1.2.0.edge", root=ROOT, retry=True)


def first_install(shelf: Shelf) -> None:
    store = _synchronized(shelf)
    confirm(store, store.install(shelf.folder / "tiny-1.0.0.edge", root=ROOT))


def update(shelf: Shelf) -> None:
    confirm(shelf.store, install(shelf))


def repair(shelf: Shelf) -> None:
    install(shelf, "1.1.0")


def activate(shelf: Shelf) -> None:
    shelf.store.activate("tiny", "1.0.0")


def tried(shelf: Shelf) -> None:
    shelf.store.tried("tiny", slot(shelf, "1.2.0").digest)


def proved(shelf: Shelf) -> None:
    shelf.store.proved("tiny", slot(shelf, "1.2.0").digest)


def confirmed(shelf: Shelf) -> None:
    shelf.store.confirmed("tiny", slot(shelf, "1.2.0").digest)


def confirm_by_command(shelf: Shelf) -> None:
    shelf.store.confirm()


def refunded(shelf: Shelf) -> None:
    shelf.store.refunded("tiny", slot(shelf, "1.2.0").digest)


def given_up(shelf: Shelf) -> None:
    shelf.store.given_up("tiny", slot(shelf, "1.0.0").digest)


def rejected(shelf: Shelf) -> None:
    shelf.store.rejected("tiny", slot(shelf, "1.2.0").digest, "It hung.")


def rejected_while_active(shelf: Shelf) -> None:
    shelf.store.rejected("tiny", slot(shelf, "1.1.0").digest, "It hung.")


def withdrawn(shelf: Shelf) -> None:
    shelf.store.withdrawn("tiny", slot(shelf, "1.1.0").digest)


def rollback(shelf: Shelf) -> None:
    shelf.store.rollback()


def rolled_back(shelf: Shelf) -> None:
    confirm(shelf.store, shelf.store.rollback())


def prune(shelf: Shelf) -> None:
    shelf.store.prune(1)


def rotate(shelf: Shelf) -> None:
    shelf.store.update_trust([(shelf.folder / "root-2.json").read_bytes()])


PATHS = {
    path.name: path
    for path in (
        WritePath("first install", _nothing, first_install),
        WritePath("first pinning of a root", _one_without_a_root, update, damaged="1.0.0"),
        WritePath("install", _two_good, install),
        WritePath("update", _two_good, update),
        WritePath("retry", _rejected, retry, retries=True),
        WritePath("repair", _damaged, repair, damaged="1.1.0"),
        WritePath("activate", _two_good, activate),
        WritePath("tried", _waiting, tried, again=False),
        WritePath("the last attempt is over", _on_its_last_attempt, tried, again=False),
        WritePath("proved", _on_trial, proved),
        WritePath("refunded", _on_trial, refunded, again=False, refunds=True),
        WritePath("given up", _going_back, given_up),
        WritePath("confirmed", _proved, confirmed),
        WritePath("confirmed with a floor", _proved_with_a_floor, confirmed),
        WritePath("confirm by command", _proved, confirm_by_command),
        WritePath("rejected", _on_trial, rejected, again=False),
        WritePath("rejected while active", _two_good, rejected_while_active, again=False),
        WritePath("withdrawn", _damaged, withdrawn, again=False, damaged="1.1.0"),
        WritePath("rollback", _two_good, rollback),
        WritePath("rollback of a trial", _proved, rollback, again=False),
        WritePath("rolled back", _two_good, rolled_back, again=False),
        WritePath("prune", _many_good, prune),
        WritePath("root rotation", _next_root_at_hand, rotate),
    )
}
