"""What the tests of the store share: bundle files, and a store that runs one of them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.bundle import open_folder
from edge_runtime.errors import EdgeError
from edge_runtime.store.activate import is_active
from edge_runtime.store.disk import Store
from edge_runtime.store.slots import ModelState, Slot
from tests.support.tiny_bundle import OTHER_KEY, root, tiny_bundle

ROOT = root()
OTHER_ROOT = root(OTHER_KEY)


@dataclass(frozen=True)
class Shelf:
    """A folder of bundle files beside the store they go into."""

    folder: Path
    store_name: str = "store"

    @property
    def store(self) -> Store:
        return Store(self.folder / self.store_name, lock_wait_s=1)

    def bundle(self, version: str, name: str = "tiny", **options: Any) -> Path:
        path = self.folder / f"{name}-{version}.edge"
        path.write_bytes(tiny_bundle(name, version, **options))
        return path

    def install(self, version: str, name: str = "tiny", **options: Any) -> Slot:
        return self.store.install(self.bundle(version, name, **options), root=ROOT)

    def run(self, version: str, name: str = "tiny", **options: Any) -> Slot:
        slot = self.install(version, name, **options)
        confirm(self.store, slot)
        return slot

    def model(self, name: str = "tiny") -> ModelState:
        return self.store.state().models[name]

    def files(self) -> set[str]:
        """Folders of slots that are on the disk, as MODEL/DIGEST."""
        slots = self.store.root / "slots"
        return {str(path.relative_to(slots)) for path in slots.glob("*/*")}


def confirm(store: Store, slot: Slot) -> None:
    """What an agent does with a pending bundle that works: a trial, its goldens, the confirm."""
    if is_active(store.state(), slot):
        return
    store.tried(slot.model, slot.digest)
    store.proved(slot.model, slot.digest)
    store.confirmed(slot.model, slot.digest)


def damage(store: Store, *, but: str = "") -> str:
    """What is wrong with a recovered store, '' when nothing is: the promise after every crash.

    Every slot that the state names is whole on the disk, nothing else is there, and the active one runs.
    `but`: a version that was damaged before, and may be still.
    """
    state = store.state()
    named = set()
    for model, now in state.models.items():
        for digest, slot in now.slots.items():
            named.add(f"{model}/{digest}")
            found = _slot_damage(store.root / "slots" / model / digest, digest)
            if found and slot.version != but:
                return f"{model} {slot.version}, {slot.state}: {found}"
        if now.active and now.slots[now.active].state != "good":
            return f"{model}: the active slot is {now.slots[now.active].state}"
    slots = store.root / "slots"
    if stray := {str(path.relative_to(slots)) for path in slots.glob("*/*")} - named:
        return f"left over: {sorted(stray)}"
    return ""


def whole(store: Store) -> frozenset[str]:
    """The versions of the model `tiny` whose files are all there, and signed."""
    now = store.state().models.get("tiny", ModelState()) if store.root.exists() else ModelState()
    slots = store.root / "slots" / "tiny"
    return frozenset(
        slot.version for digest, slot in now.slots.items() if not _slot_damage(slots / digest, digest)
    )


_intact = set[tuple[str, frozenset[tuple[str, bytes]]]]()  # thousands of disks hold few contents


def _slot_damage(folder: Path, digest: str) -> str:
    files = frozenset(
        (os.path.relpath(path, folder), Path(path).read_bytes())
        for parent, _, names in os.walk(folder)
        for path in (os.path.join(parent, name) for name in names)
    )
    if (digest, files) in _intact:
        return ""
    told = ""
    for trusted in (ROOT, OTHER_ROOT):
        try:
            with open_folder(folder, root=trusted) as bundle:
                bundle.check()
                if bundle.digest != digest:
                    return "it has another content"
        except EdgeError as error:
            told = told or str(error)
        else:
            _intact.add((digest, files))
            return ""
    return told
