"""Plans that were built here, kept in a folder: bounded, checked, and written whole or not at all.

A plan is code that the GPU's driver and TensorRT trust: who can write it owns the process. So a plan is
never taken from a bundle, and a kept one counts only where the folder and the file belong to this user
or to root and nobody else may write them. The digest finds damage, not enemies.

A file is one line of JSON, the `_Header`, and the plan. It appears under its name by a rename, after its
bytes are on the disk: after a power cut there is the whole plan, or none.
"""

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge_runtime.durable import create_file, create_folder, sync_folder, translated
from edge_runtime.engine.tensorrt.key import PlanKey
from edge_runtime.errors import EngineError, StorageError
from edge_runtime.signals import raise_if_a_handlers

DEFAULT_MAX_BYTES = 2 << 30
_ENDING, _UNFINISHED = ".plan", ".unfinished"
_MAX_HEADER_BYTES = 1 << 14
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: PlanKey
    sha256: str


# Made with the module: msgspec 0.22 crashes where two threads are the first to decode one type.
_HEADER = msgspec.json.Decoder(_Header)


@dataclass(frozen=True)
class Kept:
    """A plan, or None, and then why in a sentence; '' where it was simply never kept."""

    plan: memoryview | None
    why: str = ""


def default_folder() -> Path:
    """`plans` in $EDGE_RUNTIME_CACHE, or else in what systemd keeps for the service, or else in
    ~/.cache/edge-runtime.

    Raises StorageError where there is none of these.
    """
    of_the_service = os.environ.get("CACHE_DIRECTORY", "").split(":")[
        0
    ]  # CacheDirectory=, systemd.exec(5)
    if given := os.environ.get("EDGE_RUNTIME_CACHE") or of_the_service:
        return Path(given) / "plans"
    try:
        return Path.home() / ".cache" / "edge-runtime" / "plans"
    except RuntimeError as error:
        raise StorageError(
            "expected a folder to keep TensorRT plans in, found no home of this user. "
            "Set EDGE_RUNTIME_CACHE to a folder."
        ) from error


class PlanCache:
    """The plans in `folder`, of at most `max_bytes` together; those longest unused go first."""

    def __init__(self, folder: Path, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.folder = folder
        self._max_bytes = max_bytes

    def read(self, key: PlanKey) -> Kept:
        """The plan of exactly this key, checked. Whatever is wrong with it is a reason, no error."""
        try:
            with self._opened() as folder:
                raw = _read(self.folder, folder, key.file_name + _ENDING, self._max_bytes)
                plan = _plan(raw, key)
                with suppress(OSError):
                    os.utime(key.file_name + _ENDING, dir_fd=folder)  # used: others go before it
        except FileNotFoundError:
            return Kept(None, self._why_another(key))
        except OSError as error:
            raise_if_a_handlers(error)
            return Kept(None, f"{self.folder}: the kept plan cannot be read: {error.strerror}")
        except EngineError as error:
            return Kept(None, str(error))
        return Kept(plan)

    def _why_another(self, key: PlanKey) -> str:
        """Of the plan kept last for the same graph, in what its key differs; '' where there is none."""
        with suppress(OSError, EngineError), self._opened() as folder:
            kept = (name for name in os.listdir(folder) if name.endswith(_ENDING))
            for name in sorted(kept, key=lambda each: -os.stat(each, dir_fd=folder).st_mtime_ns):
                with suppress(EngineError):
                    found = _header(_read(self.folder, folder, name, self._max_bytes, _MAX_HEADER_BYTES))
                    if why := key.difference(found.key):
                        return why
        return ""

    def write(self, key: PlanKey, plan: bytes | memoryview) -> None:
        """Keep a plan in place of any of the same key; others make room for it.

        Raises StorageError when it cannot be written or is larger than all that may be kept, EngineError
        where others could change it.
        """
        header = msgspec.json.encode(_Header(key, hashlib.sha256(plan).hexdigest())) + b"\n"
        size = len(header) + len(plan)
        if size > self._max_bytes:
            raise StorageError(
                f"{self.folder}: expected a plan of at most {self._max_bytes} bytes, found one of "
                f"{size}. Allow more, or keep smaller models."
            )
        create_folder(self.folder, mode=0o700)
        target = self.folder / (key.file_name + _ENDING)
        with translated(self.folder), self._opened() as folder:
            fcntl.flock(folder, fcntl.LOCK_EX)
            self._make_room(size, target.name)
            unfinished = target.with_suffix(_UNFINISHED)
            try:
                create_file(unfinished, [header, plan], mode=0o600)
                os.rename(unfinished, target)
            except BaseException:
                with suppress(OSError):
                    os.unlink(unfinished)
                raise
            sync_folder(self.folder)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """A descriptor of the folder. Raises OSError, EngineError where others could write into it."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _check_owner(self.folder, os.fstat(descriptor))
            yield descriptor
        finally:
            os.close(descriptor)

    def _make_room(self, size: int, spared: str) -> None:
        """Remove what a killed process left, and plans until `size` more bytes fit. Holds the lock."""
        found = []
        for entry in list(os.scandir(self.folder)):
            if entry.name.endswith(_UNFINISHED):
                os.unlink(entry.path)
            elif entry.name.endswith(_ENDING) and entry.name != spared:
                status = entry.stat(follow_symlinks=False)
                found.append((status.st_mtime_ns, status.st_size, entry.path))
        total = size + sum(taken for _, taken, _ in found)
        for _, taken, path in sorted(found):
            if total <= self._max_bytes:
                return
            os.unlink(path)
            total -= taken


def _read(folder: Path, descriptor: int, name: str, max_bytes: int, most: int = -1) -> bytes:
    """A file's bytes, or the first `most` of them.

    Raises OSError, EngineError where it is a link or others could have written it.
    """
    try:
        opened = os.open(
            name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=descriptor
        )
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise EngineError(
                f"{folder / name}: the kept plan is a link, and links do not count"
            ) from error
        raise
    with open(opened, "rb", buffering=0) as file:
        status = os.fstat(opened)
        _check_owner(folder / name, status)
        if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
            raise EngineError(f"{folder / name}: the kept plan is no file, or too large")
        return file.read(most)


def _header(raw: bytes) -> _Header:
    """Raises EngineError when the bytes do not begin with one."""
    end = raw.find(b"\n", 0, _MAX_HEADER_BYTES)
    try:
        return _HEADER.decode(raw[: max(0, end)])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EngineError("the kept plan is damaged: it begins with something else") from error


def _plan(raw: bytes, key: PlanKey) -> memoryview:
    """The plan in a file's bytes. Raises EngineError when they are damaged, or of another key."""
    header = _header(raw)
    plan = memoryview(raw)[raw.index(b"\n") + 1 :]
    if header.key != key:
        raise EngineError("the kept plan is of another model, board or version")
    if hashlib.sha256(plan).hexdigest() != header.sha256:
        raise EngineError("the kept plan is damaged: its digest is another")
    return plan


def _check_owner(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in (0, os.geteuid()) or status.st_mode & _OTHERS_WRITE:
        raise EngineError(
            f"{path}: expected that only this user or root may write there, found owner "
            f"{status.st_uid} and mode {stat.S_IMODE(status.st_mode):o}. A plan is code: give "
            f"EDGE_RUNTIME_CACHE a folder of your own, or run: chmod go-w {path}"
        )
