"""What a disk may hold after a power cut: every unsynced effect kept, dropped, torn or reordered.

`crash_states` turns a recorder's log into the trees that a disk could show when power goes at any point
of it. The model is stricter than real file systems, on purpose: contents are safe after fsync of the
file, names after fsync of the folder, and nothing else is. It finds a missing fsync that ext4 forgives.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.disk_recorder import (
    TOP,
    Effect,
    Folder,
    Inodes,
    Named,
    Recorder,
    Renamed,
    Synced,
    Unnamed,
    Written,
)


@dataclass(frozen=True)
class Crash:
    """One disk after a power cut. `is_last`: power went after the last event."""

    story: str
    inodes: Inodes
    is_last: bool

    def materialise(self, path: Path, inode: int = TOP) -> None:
        """Write the tree at `path`, which must not exist."""
        held = self.inodes[inode]
        if isinstance(held, bytes):
            path.write_bytes(held)
            return
        path.mkdir()
        for name, child in held.items():
            self.materialise(path / name, child)

    def tree(self, inode: int = TOP) -> bytes | frozenset[tuple[str, object]]:
        """What is on it, to be compared with another's."""
        held = self.inodes[inode]
        if isinstance(held, bytes):
            return held
        return frozenset((name, self.tree(child)) for name, child in held.items())


def crash_states(recorder: Recorder, *, start: int = 0, samples: int = 6) -> Iterator[Crash]:
    """Each distinct disk after a cut at every point of the log from event `start` on.

    Of the effects that no fsync had made safe: none and all are kept, each alone, all but each, each
    write torn in the middle, and `samples` random subsets. The latest cuts come first: a disk that is
    possible at several points is shown for the last of them, when most has been promised.
    """
    log, seen, chance = recorder.log, set[tuple[frozenset[int], int | None]](), random.Random(1)
    for cut in reversed(range(start, len(log) + 1)):
        safe = _safe(log[:cut])
        loose = [i for i in range(cut) if i not in safe and not isinstance(log[i], Synced)]
        for kept, torn in _choices(loose, log, chance, samples):
            key = (safe | kept, torn)
            if key not in seen:
                seen.add(key)
                lost = [f"{i}: {log[i]!r:.120}" for i in loose if i not in kept]
                story = f"power cut after event {cut}, torn {torn}, lost:\n" + "\n".join(lost)
                inodes = _replayed(recorder.initial, log, sorted(safe | kept), torn)
                yield Crash(story, inodes, cut == len(log))


def _safe(log: list[Effect | Synced]) -> frozenset[int]:
    """Numbers of the effects that an fsync has put on the disk."""
    safe = set[int]()
    for end, event in enumerate(log):
        if isinstance(event, Synced):
            safe |= {i for i in range(end) if event.inode in _needs(log[i])}
    return frozenset(safe)


def _needs(event: Effect | Synced) -> set[int]:
    """Inodes of which an fsync makes the effect safe."""
    match event:
        case Written(inode=inode):
            return {inode}
        case Named(folder=folder) | Unnamed(folder=folder):
            return {folder}
        case Renamed(source=source, target=target):
            return {source.folder, target.folder}
        case _:
            return set()


def _choices(
    loose: list[int], log: list[Effect | Synced], chance: random.Random, samples: int
) -> Iterator[tuple[frozenset[int], int | None]]:
    every = frozenset(loose)
    yield frozenset(), None
    yield every, None
    for i in loose:
        yield frozenset({i}), None
        yield every - {i}, None
        if isinstance(log[i], Written):
            yield every, i
    for _ in range(samples if len(loose) > 2 else 0):
        yield frozenset(i for i in loose if chance.random() < 0.5), None


def _replayed(initial: Inodes, log: list[Effect | Synced], kept: list[int], torn: int | None) -> Inodes:
    inodes: Inodes = {i: dict(held) if isinstance(held, dict) else held for i, held in initial.items()}
    for event in log:  # every inode ever made has a place, whether a name leads to it or not
        if isinstance(event, Named):
            inodes[event.inode] = {} if event.is_folder else b""
    for i in kept:
        _apply(inodes, log[i], torn=i == torn)
    return inodes


def _apply(inodes: Inodes, event: Effect | Synced, *, torn: bool) -> None:
    match event:
        case Named():
            _folder(inodes, event.folder)[event.name] = event.inode
        case Unnamed():
            if _folder(inodes, event.folder).get(event.name) == event.inode:
                del _folder(inodes, event.folder)[event.name]
        case Renamed():
            _apply(inodes, event.source, torn=False)
            _apply(inodes, event.target, torn=False)
        case Written():
            before = b"" if event.truncates else inodes[event.inode]
            assert isinstance(before, bytes)
            data = event.data[: len(event.data) // 2] if torn else event.data
            padded = before.ljust(event.offset, b"\0")
            inodes[event.inode] = padded[: event.offset] + data + padded[event.offset + len(data) :]


def _folder(inodes: Inodes, inode: int) -> Folder:
    entries = inodes[inode]
    assert isinstance(entries, dict)
    return entries
