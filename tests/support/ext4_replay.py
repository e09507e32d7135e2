"""Block writes of a life, replayed onto ext4 images that power cuts would leave, each really mounted.

A disk with a volatile cache has what it was told before its last flush, and any part of what came since.
"""

import random
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from edge_runtime.errors import EdgeError
from edge_runtime.telemetry.outbox import Outbox
from tests.edge_runtime.store.paths import PATHS
from tests.edge_runtime.store.promises import broken, look, next_fault, restart
from tests.edge_runtime.store.rig import Shelf
from tests.support.block_log import BLOCK_BYTES, Told
from tests.support.ext4_life import BOOT, Mark
from tests.support.outbox_rows import rows_of

Writes = list[tuple[int, bytes]]


@dataclass(frozen=True)
class Cut:
    """Power went: the image that is left, and what had been told until then.

    before: the last mark. after: what the step that was under way would have led to.
    """

    story: str
    image: bytes
    before: Mark | None
    after: Mark | None


def cuts(image: bytes, events: Sequence[Told], *, samples: int, seed: int = 1) -> Iterator[Cut]:
    """Power goes right before each flush: the cache keeps nothing, all, and `samples` parts of it."""
    disk, cached, chance = bytearray(image), Writes(), random.Random(seed)
    marks = [msgspec.json.decode(each, type=Mark) if isinstance(each, str) else None for each in events]
    before: Mark | None = None
    for at, event in enumerate(events):
        if isinstance(event, tuple):
            cached += _blocks(*event)
        elif isinstance(event, str):
            before = marks[at]
        elif cached:
            after = next((mark for mark in marks[at:] if mark and mark.done), before)
            for name, kept in _parts(cached, chance, samples):
                story = f"before flush at event {at}, {name} of {len(cached)} blocks in the cache"
                yield Cut(story, _written(disk, kept), before, after)
            disk, cached = bytearray(_written(disk, cached)), []


def _blocks(offset: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(data), BLOCK_BYTES):
        yield offset + start, data[start : start + BLOCK_BYTES]


def _parts(cached: Writes, chance: random.Random, samples: int) -> Iterator[tuple[str, Writes]]:
    yield "none", []
    yield "all", cached
    for _ in range(samples if len(cached) > 1 else 0):
        part = [write for write in cached if chance.random() < 0.5]
        yield f"{len(part)}", part


def _written(disk: bytes | bytearray, writes: Writes) -> bytes:
    image = bytearray(disk)
    for offset, data in writes:
        image[offset : offset + len(data)] = data
    return bytes(image)


def fault_of(cut: Cut, folder: Path, shelf: Shelf) -> str:
    """Mount the image, which lets ext4 recover its journal, and check what is on it; '' for no fault."""
    image, mount = folder / "cut.img", folder / "cut"
    image.write_bytes(cut.image)
    mount.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "ext4", "-o", "loop", image, mount], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        return f"ext4 is not mounted: {mounted.stderr.strip()}"
    try:
        return _store_fault(cut, replace(shelf, store_name=str(mount / "store"))) or _outbox_fault(
            cut, mount / "outbox.db"
        )
    except EdgeError as error:
        return str(error)
    finally:
        subprocess.run(["umount", mount], check=True)


def _store_fault(cut: Cut, shelf: Shelf) -> str:
    if fault := restart(shelf.store):
        return fault
    if cut.before is None or cut.after is None:
        return ""
    found, before, after = look(shelf.store), cut.before, cut.after
    path = PATHS.get(after.step, PATHS["update"])
    if before.done and found != before.view:
        return f"{before.step} was done: expected {before.view}, found {found}"
    return broken(path, before.view, found, after.view) or next_fault(shelf, before.view)


def _outbox_fault(cut: Cut, path: Path) -> str:
    """Rows are there from the first on, those that must be, and the place is that of the last."""
    safe, appended = (cut.before.safe, cut.before.appended) if cut.before else (0, 0)
    if not path.exists():
        return "" if not safe else f"the outbox is gone: expected {safe} rows"
    with Outbox(path, boot_id=BOOT) as outbox:
        rows = [row.seq for row in rows_of(outbox)]
        place = int(outbox.recall("place") or b"0")
    if list(path.parent.glob("*.corrupt-*")):
        return "the outbox was held to be broken"
    if rows != list(range(1, place + 1)):
        return f"rows {rows}, and the place {place}"
    if not safe <= place <= appended + 1:
        return f"expected {safe} to {appended} rows, found {place}"
    return ""
