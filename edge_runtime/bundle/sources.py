"""The two shapes a bundle's files come in: one archive, or an unpacked folder.

Each is opened once and read through that descriptor only, so what was checked is what is used, even
if somebody puts another file under the same path meanwhile. Sizes and structure are checked on
opening; contents are the reader's to check.
"""

import errno
import os
import stat
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from edge_runtime.bundle.archive import (
    MAX_ARCHIVE_BYTES,
    MAX_DEPTH,
    MAX_ENTRIES,
    check_names,
    read_index,
)
from edge_runtime.bundle.files import EXHAUSTED, open_folder_at, open_regular, read_range
from edge_runtime.errors import ArchiveError, BundleError, UnreadableError
from edge_runtime.signals import raise_if_a_handlers

if TYPE_CHECKING:
    from pathlib import Path

# What says something of the bundle itself: a part of it is gone, is something else, or its blocks are.
_DAMAGED = {
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL, errno.EIO, errno.EBADMSG,
}  # fmt: skip


class Source(Protocol):
    """Named files of known size. `sizes` is sorted by name; `size_bytes` is what it takes on disk.

    `open` gives a descriptor of a file that is the caller's, -1 where it is a part of another file.
    """

    @property
    def sizes(self) -> Mapping[str, int]: ...

    @property
    def size_bytes(self) -> int: ...

    def chunks(self, name: str) -> Iterator[bytes]: ...

    def open(self, name: str) -> int: ...

    def path(self, name: str) -> "Path | None": ...

    def close(self) -> None: ...


class _Opened:
    """Holds a descriptor until `close`; dropped before, it is closed with a warning, as a file is."""

    _descriptor = -1

    def __init__(self, path: str, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            try:
                warnings.warn(f"unclosed bundle {self._path!r}", ResourceWarning, 1, source=self)
            finally:
                self.close()


class ArchiveSource(_Opened):
    """A bundle file. Raises ArchiveError unless it is a canonical archive."""

    def __init__(self, path: str) -> None:
        with as_bundle_error(path):
            super().__init__(path, open_regular(path))
            # `closefd`: the descriptor outlives this file object and is closed in `close`.
            try:
                with open(self._descriptor, "rb", closefd=False) as file:
                    self._index = read_index(file)
                self.size_bytes = os.fstat(self._descriptor).st_size
            except BaseException:
                self.close()
                raise
        self.sizes = {name: entry.size for name, entry in self._index.items()}

    def chunks(self, name: str) -> Iterator[bytes]:
        entry, crc32 = self._index[name], 0
        with as_bundle_error(self._path):
            for chunk in read_range(_still_open(self._descriptor), entry.offset, entry.size):
                crc32 = zlib.crc32(chunk, crc32)
                yield chunk
        if crc32 != entry.crc32:
            raise BundleError(
                f"{name}: expected CRC-32 {entry.crc32:08x}, found {crc32:08x}. "
                "The bundle is damaged or was altered: fetch it again."
            )

    def open(self, name: str) -> int:  # noqa: ARG002
        return -1

    def path(self, name: str) -> "Path | None":  # noqa: ARG002
        return None


class FolderSource(_Opened):
    """An unpacked bundle: regular files with one name each, and nothing else.

    A second hard link is refused because whoever holds it can change a file that was already checked.
    """

    def __init__(self, path: str) -> None:
        with as_bundle_error(path):
            super().__init__(path, open_folder_at(path))
            try:
                found: dict[str, int] = {}
                _list(self._descriptor, "", found)
            except BaseException:
                self.close()
                raise
        self.sizes = dict(sorted(found.items()))
        self.size_bytes = sum(found.values())

    def chunks(self, name: str) -> Iterator[bytes]:
        descriptor = self.open(name)
        try:
            with as_bundle_error(self._path):
                yield from read_range(descriptor, 0, self.sizes[name])
        finally:
            os.close(descriptor)

    def open(self, name: str) -> int:
        expected = self.sizes[name]
        with as_bundle_error(os.path.join(self._path, name)):
            descriptor = self._open(name)
        try:
            found = os.fstat(descriptor)
            if found.st_nlink != 1 or found.st_size != expected:
                raise BundleError(
                    f"{name}: expected one name and {expected} bytes, found {found.st_nlink} and "
                    f"{found.st_size}: it changed since the bundle was opened. Open it again."
                )
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _open(self, name: str) -> int:
        """Follow a name folder by folder, so that no link is followed anywhere on the way."""
        folder, *rest = _still_open(self._descriptor), *name.split("/")
        opened: list[int] = []
        try:
            for part in rest[:-1]:
                folder = open_folder_at(part, folder=folder, follow=False)
                opened.append(folder)
            return open_regular(rest[-1], folder=folder, follow=False)
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def path(self, name: str) -> "Path | None":
        from pathlib import Path

        return Path(self._path, name)


def _list(folder: int, prefix: str, found: dict[str, int]) -> None:
    """Sizes by name of all files under a folder; raises ArchiveError for what no bundle can hold."""
    before = len(found)
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                _list_inside(folder, entry.name, name, found)
            elif not stat.S_ISREG(status.st_mode):
                raise _stray(name, "a link or special file")
            elif status.st_nlink != 1:
                raise _stray(name, f"one with {status.st_nlink} names (hard links)")
            else:
                found[name] = status.st_size
            if len(found) > MAX_ENTRIES or sum(found.values()) > MAX_ARCHIVE_BYTES:
                raise _stray(name, f"more than {MAX_ENTRIES} files or {MAX_ARCHIVE_BYTES} bytes")
    if len(found) == before and prefix:
        raise _stray(prefix, "an empty folder")
    if not prefix:
        check_names(sorted(found))


def _list_inside(folder: int, part: str, name: str, found: dict[str, int]) -> None:
    if name.count("/") + 1 >= MAX_DEPTH:
        raise _stray(name, f"folders more than {MAX_DEPTH - 1} deep")
    inside = open_folder_at(part, folder=folder, follow=False)
    try:
        _list(inside, name + "/", found)
    finally:
        os.close(inside)


def _stray(name: str, found: str) -> ArchiveError:
    return ArchiveError(
        f"{name!a}: expected the regular files of one bundle, found {found}. Unpack the bundle again."
    )


def _still_open(descriptor: int) -> int:
    if descriptor < 0:
        raise BundleError("it was closed before it was read.")
    return descriptor


@contextmanager
def as_bundle_error(path: str) -> Iterator[None]:
    """Plain OSError in, BundleError out; UnreadableError where the bundle may be whole all the same.

    `path`: whose rights to look at, as an error of a name that was followed names a part of it.
    """
    try:
        yield
    except OSError as error:
        raise_if_a_handlers(error)
        kind = BundleError if error.errno in _DAMAGED else UnreadableError
        what_to_do = EXHAUSTED.get(error.errno or 0, "")
        if not what_to_do and isinstance(error.filename, str):
            from edge_runtime.durable import advice  # brings what a cold start need not wait for

            what_to_do = advice(path, error)
        raise kind(f"the bundle cannot be read: {error.strerror}. {what_to_do}".rstrip()) from error
