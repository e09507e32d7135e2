"""Bytes that must survive a power cut: temp file, write, fsync, rename, fsync of the folder.

Names and contents are separate promises: fsync of a file keeps its bytes, fsync of the folder keeps its
name. All changes go through functions of `os`, so that tests can count, stop and replay each of them.
"""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge_runtime import users
from edge_runtime.errors import StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM}
_WHAT_TO_DO = {
    errno.EROFS: "The kernel mounts a file system so when its disk fails: `dmesg` tells.",
    errno.ENOENT: "Check the path.",
    errno.EISDIR: "It is a folder and should be a file: name the file, or move the folder away.",
    errno.ENOTDIR: "A file is where a folder should be: name another path, or move the file away.",
    errno.EIO: "The disk is failing: `dmesg` tells. Replace it.",
}


def create_file(path: Path, chunks: Iterable[bytes | memoryview], *, mode: int = 0o644) -> None:
    """Write a file that must not exist yet and flush it to the disk. The folder is not flushed."""
    create_files([(path, chunks)], mode=mode)


def create_files(
    files: Iterable[tuple[Path, Iterable[bytes | memoryview]]], *, mode: int = 0o644
) -> None:
    """Write files that must not exist yet, then flush each to the disk. The folders are not flushed.

    All are written before the first is flushed, so that the file system's journal is written once for
    all of them. They stay open until then: a disk that fails tells it to whoever held the file open.
    """
    written: list[tuple[Path, int]] = []
    try:
        for path, chunks in files:
            with translated(path):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                descriptor = os.open(path, flags, mode)
            written.append((path, descriptor))
            _write(path, descriptor, chunks)
        for path, descriptor in written:
            with translated(path):
                os.fsync(descriptor)
    finally:
        for _, descriptor in written:
            os.close(descriptor)


def replace_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Put `data` at `path` so that a reader, now or after a power cut, sees the old or the new whole."""
    temporary = path.with_name(path.name + ".tmp")
    with translated(path):
        _unlink(temporary)
    try:
        create_file(temporary, [data], mode=mode)
        with translated(path):
            os.rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            _unlink(temporary)
        raise
    sync_folder(path.parent)


def rename_folder(path: Path, target: Path) -> None:
    """Give a folder its final name, beside it, and flush that name to the disk."""
    with translated(target):
        os.rename(path, target)
    sync_folder(target.parent)


def create_folder(path: Path, *, mode: int = 0o755) -> None:
    """Make a folder, and its parents, unless it exists; its name is flushed to the disk either way.

    An existing one may have been made by a process that was killed before it flushed.
    """
    if not path.parent.exists():
        create_folder(path.parent, mode=mode)
    with translated(path), suppress(FileExistsError):
        os.mkdir(path, mode)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Flush a folder's entries: until then a created or renamed name may be lost."""
    with translated(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_folder(path: Path) -> None:
    """Remove a folder with all that is in it, unless it is gone already. Links are not followed."""
    with translated(path), suppress(FileNotFoundError):
        for entry in list(os.scandir(path)):
            if entry.is_dir(follow_symlinks=False):
                remove_folder(Path(entry.path))
            else:
                os.unlink(entry.path)
        os.rmdir(path)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses at `path` into a StorageError."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageError(
                f"{path}: the disk is full ({os.strerror(error.errno)}). Free space and try again; "
                "what was there before is untouched."
            ) from error
        told = f"{path}: cannot be written: {error.strerror}. {advice(path, error)}"
        raise StorageError(told.rstrip()) from error


def advice(path: str | os.PathLike[str], error: OSError) -> str:
    """What to do about what the operating system refuses at `path`, in a sentence; '' where unknown."""
    if error.errno not in _REFUSED:
        return _WHAT_TO_DO.get(error.errno or 0, "")
    owner, me = _owner(Path(path)), os.geteuid()
    if owner is not None and (users.is_hidden(owner) or users.is_hidden(me)):
        return (
            "Users are hidden from this process by its user namespace (a container, or PrivateUsers= of "
            f"systemd). Look outside of it who may: ls -ld {path}."
        )
    if owner is None or owner == me:
        return f"Look who may: ls -ld {path}."
    theirs, mine = users.name(owner), users.name(me)
    return (
        f"It belongs to user {theirs}, and this runs as user {mine}: run it with `{users.sudo(owner)}` "
        f"before it, or give user {mine} the right (chgrp, chmod)."
    )


def _owner(path: Path) -> int | None:
    """The user of a file, or of the nearest folder above it that may be looked at."""
    for each in (path, *path.absolute().parents):
        with suppress(OSError):
            return os.stat(each).st_uid
    return None


def _write(path: Path, descriptor: int, chunks: Iterable[bytes | memoryview]) -> None:
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            with translated(path):
                view = view[os.write(descriptor, view) :]


def _unlink(path: Path) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
