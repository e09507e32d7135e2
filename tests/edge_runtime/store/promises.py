"""What a store promises whatever happens to it, checked on one that a crash has left."""

from dataclasses import dataclass
from pathlib import Path

from edge_runtime.store.disk import Store
from edge_runtime.store.slots import ModelState
from tests.edge_runtime.store.paths import WritePath
from tests.edge_runtime.store.rig import ROOT, Shelf, confirm, damage, whole
from tests.support.tiny_bundle import KEY, OTHER_KEY


@dataclass(frozen=True)
class View:
    """All that counts of a store with the model `tiny`."""

    active: str | None
    floor: int
    declared: int
    attempts: dict[str, int]
    bad: frozenset[str]
    installed: frozenset[str]
    roles: tuple[str | None, ...]
    proved: frozenset[str]
    whole: frozenset[str]
    root: bytes
    seen: bytes


def look(store: Store) -> View:
    """Raises EdgeError for a store that cannot be read."""
    models = store.state().models if store.root.exists() else {}
    now = models.get("tiny", ModelState())
    return View(
        active=now.slots[now.active].version if now.active else None,
        floor=now.floor,
        declared=now.declared,
        attempts={one.version: one.attempts for one in now.slots.values() if one.state == "trial"},
        bad=frozenset(one.version for one in now.bad.values()),
        installed=frozenset(one.version for one in now.slots.values() if one.state != "writing"),
        roles=(now.active, now.pending, now.previous, *now.older),
        proved=frozenset(one.version for one in now.slots.values() if one.proved),
        whole=whole(store),
        root=_pinned(store),
        seen=_bytes(store.root / "trust" / "seen"),
    )


def broken(path: WritePath, before: View, found: View, after: View) -> str:
    """Which promise a store that was `before` has broken on its way to `after`; '' for none."""
    lost = before.bad - found.bad - (found.installed if path.retries else set())
    risen = [
        version for version, left in found.attempts.items() if left > before.attempts.get(version, left)
    ]
    promises = {
        "it runs another version": found.active in {before.active, after.active},
        "the floor fell": found.floor >= before.floor and found.declared >= before.declared,
        "the floor rose too far": found.floor in {before.floor, after.floor},
        f"bad ones are forgotten: {sorted(lost)}": not lost,
        f"attempts rose: {risen}": path.refunds or not risen,
        "it is another root": found.root in {before.root, after.root},
        "it has forgotten whom it trusts": not after.root
        or bool(found.root)
        or (not before.root and found.installed <= before.installed),
        "another time was seen": found.seen in {before.seen, after.seen},
        "an installed one that nothing replaces is gone": before.installed & after.installed
        <= found.installed,
    }
    return next((told for told, kept in promises.items() if not kept), "")


def next_fault(shelf: Shelf, before: View, *, but: str = "") -> str:
    """What is wrong when the next version is installed and confirmed as if nothing had happened."""
    store, root = shelf.store, shelf.store.trusted_root()
    key = OTHER_KEY if root and root.version == 2 else KEY
    bundle = shelf.folder / f"next-{key is KEY}.edge"
    if not bundle.exists():
        shelf.bundle("2.0.0", key=key).rename(bundle)
    confirm(store, store.install(bundle, root=ROOT))
    found = look(store)
    if found.active != "2.0.0" or found.floor < before.floor:
        return f"the next version is installed, and {found.active} runs"
    return damage(store, but=but)


def restart(store: Store, *, but: str = "") -> str:
    """What an agent does first; what is wrong with the store then, '' for nothing."""
    if not store.root.exists():
        return ""
    store.recover()
    return damage(store, but=but)


def _pinned(store: Store) -> bytes:
    """The root file; raises TrustError for one that is not whole."""
    root = store.trusted_root()
    return root.raw if root else b""


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
