"""Folders that belong to one process at a time."""

import fcntl
import os
import time
from pathlib import Path

from edge_runtime.errors import StorageError, StoreBusyError


def make_folder(folder: Path) -> None:
    """Make a private folder, its parents too. Raises StorageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be made: {error.strerror}.") from error


def lock(file: Path, who: str, *, wait_s: float = 0.0) -> int:
    """Take `file`'s lock: a descriptor, whose last close (in children that inherit it as well) ends it.

    Raises StoreBusyError when another `who` keeps it for longer than `wait_s`.
    """
    descriptor = _open(file, os.O_RDWR | os.O_CREAT)
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise StoreBusyError(
                    f"{file.parent}: another {who} is running on this folder. Stop it first, or give "
                    "this one a folder of its own."
                ) from None
            time.sleep(0.05)


def is_locked(file: Path) -> bool:
    """Whether a process holds `file`'s lock now."""
    if not file.exists():
        return False
    descriptor = _open(file, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _open(file: Path, flags: int) -> int:
    try:
        return os.open(file, flags | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(f"{file}: cannot be opened: {error.strerror}.") from error
