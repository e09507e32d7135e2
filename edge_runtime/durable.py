"""Bytes that must survive a power cut: temp file, write, fsync, rename, fsync of the folder."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_runtime.errors import StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def create_file(path: Path, chunks: Iterable[bytes | memoryview], *, mode: int = 0o644) -> None:
    """Write a file that must not exist yet and flush it to the disk. The folder is not flushed."""
    with _translated(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            for chunk in chunks:
                view = memoryview(chunk)
                while view:
                    view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def replace_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Put `data` at `path` so that a reader, now or after a power cut, sees the old or the new whole."""
    temporary = path.with_name(path.name + ".tmp")
    with _translated(path):
        temporary.unlink(missing_ok=True)
    try:
        create_file(temporary, [data], mode=mode)
        with _translated(path):
            os.rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Flush a folder's entries: until then a created or renamed name may be lost."""
    with _translated(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageError(
                f"{path}: the disk is full ({os.strerror(error.errno)}). Free space and try again; "
                "what was there before is untouched."
            ) from error
        raise StorageError(f"{path}: cannot be written: {error.strerror}.") from error
