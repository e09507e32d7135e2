"""Locks between processes: flock on a file of its own, which a killed holder never leaves locked."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from edge_runtime import __version__
from edge_runtime.durable import translated
from edge_runtime.errors import StoreBusyError

_POLL_S = 0.02


class Holder(NamedTuple):
    """A process, and the release of edge-runtime that it runs, '' where that is not known."""

    pid: int
    release: str


@contextmanager
def held(path: Path, *, wait_s: float, purpose: str) -> Iterator[None]:
    """Hold the lock `path` while the block runs.

    Raises StoreBusyError, naming the holder's process, when it is not free within `wait_s` seconds.
    """
    with translated(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + wait_s
        while not _take(descriptor, fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                raise StoreBusyError(
                    f"{path.parent}: {purpose}: {_holder(descriptor)} holds {path.name} for more than "
                    f"{wait_s:g} s. Wait for it to end and try again."
                )
            time.sleep(_POLL_S)
        _sign(descriptor, f"{os.getpid()} {__version__}\n")
        yield
        _sign(descriptor, "")
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether some process holds the lock now."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreBusyError(f"{path}: the lock cannot be looked at: {error.strerror}.") from error
    try:
        return not _take(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Who holds the lock now; None where nobody does, or it cannot be told."""
    if not is_held(path):
        return None
    try:
        pid, *release = path.read_text("utf-8").split()
        return Holder(int(pid), " ".join(release))
    except (OSError, ValueError):
        return None


def _take(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(descriptor: int, text: str) -> None:
    """Leave in the file who holds it; only people are told of it, so a full disk does not matter."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)


def _holder(descriptor: int) -> str:
    with suppress(OSError, ValueError, IndexError):
        return f"process {int(os.pread(descriptor, 20, 0).split()[0])}"
    return "another process"
