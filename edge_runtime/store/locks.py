"""Locks between processes: flock on a file of its own, which a killed holder never leaves locked."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import edge_runtime
from edge_runtime.durable import advice, translated
from edge_runtime.errors import StoreBusyError

_POLL_S = 0.02
_MAX_BYTES = 64 << 10


class Holder(NamedTuple):
    """A process, the release of edge-runtime that it runs and the file that it was imported from, and
    what it last said of itself; '' where that is not known."""

    pid: int
    release: str = ""
    package: str = ""
    said: str = ""


class Lock:
    """One that is held. Its file says by whom, for people only: nothing is flushed."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._said: str | None = None

    def say(self, line: str) -> None:
        """What `holder` shows of this process from now on; the same again costs nothing."""
        if line != self._said:
            who = f"{os.getpid()} {edge_runtime.__version__}\n{edge_runtime.__file__}\n{line}\n"
            if _write(self._descriptor, who.encode()[:_MAX_BYTES]):
                self._said = line


@contextmanager
def held(path: Path, *, wait_s: float, purpose: str) -> Iterator[Lock]:
    """Hold the lock `path` while the block runs.

    Raises StoreBusyError, naming the holder's process, when it is not free within `wait_s` seconds.
    """
    with translated(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _leave_to_owner(descriptor, path.parent)
        deadline = time.monotonic() + wait_s
        while not _take(descriptor, fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                raise StoreBusyError(
                    f"{path.parent}: {purpose}: {_holder(descriptor)} holds {path.name} for more than "
                    f"{wait_s:g} s. Wait for it to end and try again."
                )
            time.sleep(_POLL_S)
        lock = Lock(descriptor)
        lock.say("")
        yield lock
        _write(descriptor, b"\n")  # with its block: the next one may have to say that the disk is full
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether some process holds the lock now."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreBusyError(
            f"{path}: the lock cannot be looked at: {error.strerror}. {advice(path, error)}".rstrip()
        ) from error
    try:
        return not _take(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Who holds the lock now; None where nobody does, or it cannot be told."""
    if not is_held(path):
        return None
    try:
        with path.open("rb") as file:
            lines = file.read(_MAX_BYTES).decode().split("\n")
        pid, _, release = lines[0].partition(" ")
        return Holder(int(pid), release, *lines[1:3])
    except (OSError, ValueError):
        return None


def _take(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _leave_to_owner(descriptor: int, folder: Path) -> None:
    """A lock that root made or had made is its folder's owner's, who may be an agent without rights."""
    with suppress(OSError):
        if os.geteuid() == 0:
            owner = os.stat(folder)
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _write(descriptor: int, text: bytes) -> bool:
    """In place of what is there: who reads meanwhile finds the old or the new at the beginning. Only
    people are told of it, so a full disk does not matter; False for that."""
    try:
        written = os.pwrite(descriptor, text, 0)
        os.ftruncate(descriptor, written)
    except OSError:
        return False
    return written == len(text)


def _holder(descriptor: int) -> str:
    with suppress(OSError, ValueError, IndexError):
        return f"process {int(os.pread(descriptor, 20, 0).split()[0])}"
    return "another process"
