"""The outbox's SQLite file: opened, locked, checked, moved aside when it is broken (ADR 0008).

Journal mode is WAL with synchronous=NORMAL: what was committed survives the death of the process, and a
commit waits for no disk. After a power cut the newest commits may be missing; the order is kept.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from edge_runtime.durable import create_folder, sync_folder
from edge_runtime.errors import StorageError

_APPLICATION = 0x45444F58
_VERSION = 1
_KEPT_CORRUPT = 3
_BUSY_TIMEOUT_S = 5.0
# A commit writes every page it touches, whole: of one row, two or three. Files from before have 4096.
_PAGE_BYTES = 1024
# Of write-ahead log, about, until it is copied into the file. SQLite's index of the log has room for
# 4,062 pages, and is made larger for the next only after that was written: on a full disk the commit
# fails then, and is found done.
_LOG_BYTES = 4_000_000
_INDEX_BYTES = 128 << 10  # of that log, at most

# Row `id` of the stream with the greatest `base` below it has the number `id - base` there.
_SCHEMA = f"""
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
CREATE TABLE streams (base INTEGER PRIMARY KEY, stream TEXT NOT NULL, boot_id TEXT NOT NULL);
CREATE TABLE rows (id INTEGER PRIMARY KEY, lane TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""


class CorruptError(Exception):
    """The file is no outbox, or not any more. Never leaves this package."""


class DiskError(StorageError):
    """The disk is full or fails; the file may be whole."""


class ReadFile:
    """A connection that only asks."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self.path = path
        self._database = database

    def select(self, query: str, *values: object) -> list[tuple[int | str | bytes, ...]]:
        with translated(self.path):
            return self._database.execute(query, values).fetchall()

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._database.close()


class OutboxFile(ReadFile):
    """One connection to the file, and the lock that keeps other writers out. Not thread-safe."""

    def __init__(self, path: Path) -> None:
        """Raises StorageError, CorruptError."""
        create_folder(path.parent)
        self._lock = _lock(path)
        try:
            super().__init__(path, _open(path))
            self.identity = _identity(path, self._lock)
        except BaseException:
            os.close(self._lock)
            raise

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """All or nothing; with `durable` the disk has it at the end, power cut or not.

        Raises StorageError or CorruptError; then nothing was changed.
        """
        with translated(self.path):
            if durable:
                self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._database.execute("ROLLBACK")
                raise
            finally:
                if durable:
                    self._database.execute("PRAGMA synchronous = NORMAL")

    @classmethod
    def in_memory(cls, path: Path, remembered: Iterable[Sequence[object]], gone: int) -> "OutboxFile":
        """One that the disk need not take, in place of that at `path`.

        It remembers what that did, and its positions begin behind `gone`. It holds no lock: the file's,
        which may be opened again beside it, is to be had.
        """
        file = cls.__new__(cls)
        database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        ReadFile.__init__(file, path, database)
        file._lock, file.identity = -1, ""
        database.executescript(_SCHEMA)
        database.execute("INSERT INTO counters VALUES ('gone', ?)", (gone,))
        database.executemany("INSERT INTO meta VALUES (?, ?)", remembered)
        return file

    def close(self) -> None:
        super().close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def open_to_read(path: Path) -> ReadFile:
    """A look from another process; nothing is locked, made or mended. Raises StorageError."""
    with translated(path):
        database = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", timeout=_BUSY_TIMEOUT_S, uri=True)
    return ReadFile(path, database)


def last_remembered(path: Path) -> list[tuple[object, ...]]:
    """What a file that a disk does not let us open remembers, as (key, value), as far as it can be read.

    Who has the file alone keeps the log's index in memory, where it takes no room of the disk.
    """
    uri = f"file:{quote(str(path))}?mode=rw"
    with suppress(sqlite3.Error), closing(sqlite3.connect(uri, uri=True)) as file:
        file.execute("PRAGMA locking_mode = EXCLUSIVE")
        return file.execute("SELECT key, value FROM meta").fetchall()
    return []


def move_aside(path: Path) -> Path:
    """Give a broken file another name, `NAME.corrupt-N`, and keep the last three such. Its new path."""
    with translated(path):
        numbers = sorted(
            int(number)
            for found in path.parent.glob(f"{path.name}.corrupt-*")
            if (number := found.name.rpartition("-")[2]).isdigit()
        )
        target = path.with_name(f"{path.name}.corrupt-{(numbers or [0])[-1] + 1}")
        for ending in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.rename(f"{path}{ending}", f"{target}{ending}")
        for old in numbers[: max(0, len(numbers) + 1 - _KEPT_CORRUPT)]:
            for ending in ("", "-wal", "-shm"):
                Path(f"{path}.corrupt-{old}{ending}").unlink(missing_ok=True)
    sync_folder(path.parent)
    return target


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the operating system raise into StorageError or CorruptError."""
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.IntegrityError) as error:
        if "full" in str(error) or "disk I/O" in str(error):
            raise DiskError(
                f"{path}: the disk does not take the write ({error}). Free space; "
                "what was there before is untouched."
            ) from error
        raise StorageError(f"{path}: cannot be used: {error}.") from error
    except sqlite3.DatabaseError as error:
        raise CorruptError(str(error)) from error
    except OSError as error:
        raise StorageError(f"{path}: cannot be used: {error.strerror}.") from error


def _demand_room(path: Path) -> None:
    """Raises DiskError where SQLite could not make its index of the log, which it maps into memory.

    It makes sure of one byte in 4096. Where a file system's blocks are smaller and there are no more, a
    write to another byte ends the process by SIGBUS.
    """
    with translated(path):
        disk = os.statvfs(path.parent)
    free_bytes = disk.f_frsize * disk.f_bavail
    if free_bytes < _INDEX_BYTES and disk.f_blocks:  # none: a file system that does not count them
        raise DiskError(
            f"{path}: the disk does not take the write (it has {free_bytes:,} bytes left). Free space; "
            "what was there before is untouched."
        )


def _open(path: Path) -> sqlite3.Connection:
    _demand_room(path)
    with translated(path):
        database = sqlite3.connect(
            path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
    try:
        with translated(path):
            # Asked of SQLite, which has undone by now what a kill or a power cut left of a making.
            if not database.execute("SELECT 1 FROM sqlite_master").fetchone():
                database.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
                database.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
                sync_folder(path.parent)
            _check(database, path)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute("PRAGMA journal_size_limit = 8388608")
            (page_bytes,) = database.execute("PRAGMA page_size").fetchone()
            database.execute(f"PRAGMA wal_autocheckpoint = {_LOG_BYTES // page_bytes}")
    except BaseException:
        database.close()
        raise
    return database


def _check(database: sqlite3.Connection, path: Path) -> None:
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION:
        raise CorruptError("it is not an outbox")
    if version > _VERSION:
        raise StorageError(
            f"{path}: this outbox is of a newer edge-runtime (format {version}). "
            "Upgrade again, or move the file away to begin a new one."
        )
    found = database.execute("PRAGMA quick_check(1)").fetchall()
    if found != [("ok",)]:
        raise CorruptError(str(found[0][0]))


def _identity(path: Path, lock: int) -> str:
    """Another one where a copy of the file, or of its folder, is in its place.

    The file's own times change with each write. Its lock is made and never written, and its time of
    change is not one that a copy can be given.
    """
    with translated(path):
        file, made = os.stat(path), os.fstat(lock)
    return f"{file.st_dev}-{file.st_ino}-{made.st_ino}-{made.st_ctime_ns}"


def _lock(path: Path) -> int:
    with translated(path):
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise StorageError(
                f"{path}: another process uses this outbox. Stop it, or configure another folder."
            ) from error
    return descriptor
