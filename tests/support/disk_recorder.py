"""Records what code does to the disk: each call's effect, by inode, and each fsync."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

Folder = dict[str, int]  # names to inode numbers
Inodes = dict[int, Folder | bytes]
TOP = 0  # inode number of the recorded folder itself


@dataclass(frozen=True)
class Named:
    """An entry of a folder appeared."""

    folder: int
    name: str
    inode: int
    is_folder: bool


@dataclass(frozen=True)
class Unnamed:
    """An entry of a folder disappeared."""

    folder: int
    name: str
    inode: int


@dataclass(frozen=True)
class Renamed:
    """An entry moved over whatever had its new name: both halves or neither, as POSIX demands."""

    source: Unnamed
    target: Named


@dataclass(frozen=True)
class Written:
    """Bytes of a file; `truncates` empties it first."""

    inode: int
    offset: int
    data: bytes
    truncates: bool = False


@dataclass(frozen=True)
class Synced:
    """Whatever happened to this inode before is on the disk now."""

    inode: int


Effect = Named | Unnamed | Renamed | Written
Place = tuple[Folder, int, str]  # a folder's entries, its inode number, and a name in it


class PowerCut(BaseException):
    """Raised in place of the call at which a recording was told to stop."""


class Recorder:
    """Records what happens below `root` while it is entered; the calls go through to the real disk.

    `stop_after`: after so many events every further change raises PowerCut instead. That leaves what
    SIGKILL leaves; set it to None to go on as the next process.
    """

    def __init__(self, root: Path, stop_after: int | None = None) -> None:
        self.log: list[Effect | Synced] = []
        self.stop_after = stop_after
        self._root = f"{root}{os.sep}"
        self._now: Inodes = {}
        self._descriptors: dict[int, tuple[int, int]] = {}  # to inode and offset
        self._real = {name: getattr(os, name) for name in _CALLS}
        self._load(root)
        self.initial = {
            inode: dict(held) if isinstance(held, dict) else held for inode, held in self._now.items()
        }

    def __enter__(self) -> "Recorder":
        for name, replacement in _CALLS.items():
            setattr(os, name, replacement.__get__(self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name, real in self._real.items():
            setattr(os, name, real)

    def _load(self, path: Path) -> int:
        inode = len(self._now)
        if path.is_dir():
            entries: Folder = {}
            self._now[inode] = entries
            for child in sorted(path.iterdir()):
                entries[child.name] = self._load(child)
        else:
            self._now[inode] = path.read_bytes()
        return inode

    def _entries(self, inode: int) -> Folder:
        entries = self._now[inode]
        assert isinstance(entries, dict)
        return entries

    def _place(self, path: Any) -> Place | None:
        """None for a path that is not below the root."""
        text = os.fspath(path)
        if not text.startswith(self._root):
            return None
        *parents, name = text[len(self._root) :].split(os.sep)
        inode = TOP
        for part in parents:
            inode = self._entries(inode)[part]
        return self._entries(inode), inode, name

    def _log(self, event: Effect | Synced) -> None:
        self.log.append(event)

    def _check_power(self) -> None:
        if self.stop_after is not None and len(self.log) >= self.stop_after:
            raise PowerCut

    def _appear(self, place: Place, held: Folder | bytes) -> None:
        entries, folder, name = place
        inode = len(self._now)
        self._now[inode] = held
        entries[name] = inode
        self._log(Named(folder, name, inode, isinstance(held, dict)))

    def _vanish(self, place: Place) -> None:
        entries, folder, name = place
        self._log(Unnamed(folder, name, entries.pop(name)))

    def _open(self, path: Any, flags: int, *more: Any, **options: Any) -> Any:
        place = None if options.get("dir_fd") is not None else self._place(path)
        exists = place is None or place[2] in place[0]
        if place and (flags & os.O_TRUNC or (flags & os.O_CREAT and not exists)):
            self._check_power()
        descriptor = self._real["open"](path, flags, *more, **options)
        if place:
            if not exists:
                self._appear(place, b"")
            elif flags & os.O_TRUNC:
                self._log(Written(place[0][place[2]], 0, b"", truncates=True))
            self._descriptors[descriptor] = (place[0][place[2]], 0)
        elif os.fspath(path) + os.sep == self._root:
            self._descriptors[descriptor] = (TOP, 0)
        return descriptor

    def _write(self, descriptor: int, data: Any) -> Any:
        if descriptor not in self._descriptors:
            return self._real["write"](descriptor, data)
        self._check_power()
        count = self._real["write"](descriptor, data)
        inode, offset = self._descriptors[descriptor]
        self._log(Written(inode, offset, bytes(data[:count])))
        self._descriptors[descriptor] = (inode, offset + count)
        return count

    def _fsync(self, descriptor: int) -> None:
        if descriptor in self._descriptors:
            self._check_power()
            self._log(Synced(self._descriptors[descriptor][0]))
        self._real["fsync"](descriptor)

    def _close(self, descriptor: int) -> None:
        self._descriptors.pop(descriptor, None)
        self._real["close"](descriptor)

    def _rename(self, source: Any, target: Any) -> None:
        here, there = self._place(source), self._place(target)
        if here and there:
            self._check_power()
        self._real["rename"](source, target)
        if here and there:
            (entries, folder, name), (new_entries, new_folder, new_name) = here, there
            inode = entries.pop(name)
            new_entries[new_name] = inode
            gone, come = Unnamed(folder, name, inode), Named(new_folder, new_name, inode, False)
            self._log(Renamed(gone, come))

    def _remove(self, call: str, path: Any) -> None:
        place = self._place(path)
        if place:
            self._check_power()
        self._real[call](path)
        if place:
            self._vanish(place)

    def _unlink(self, path: Any) -> None:
        self._remove("unlink", path)

    def _rmdir(self, path: Any) -> None:
        self._remove("rmdir", path)

    def _mkdir(self, path: Any, mode: int = 0o777) -> None:
        place = self._place(path)
        if place:
            self._check_power()
        self._real["mkdir"](path, mode)
        if place:
            self._appear(place, {})


_CALLS: dict[str, Callable[..., Any]] = {
    "open": Recorder._open,
    "write": Recorder._write,
    "fsync": Recorder._fsync,
    "close": Recorder._close,
    "rename": Recorder._rename,
    "unlink": Recorder._unlink,
    "mkdir": Recorder._mkdir,
    "rmdir": Recorder._rmdir,
}
