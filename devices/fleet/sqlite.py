"""Opens the fleet's database and turns SQLite's exceptions into ours. The only user of `sqlite3`."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from devices.fleet.schema import APPLICATION_ID, MIGRATIONS
from edge_runtime.errors import StorageError, StoreError

FILE_NAME = "fleet.db"

_BUSY_TIMEOUT_S = 10.0
_DISK = (
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_READONLY",
    "SQLITE_CANTOPEN",
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
)
_DISK_TEXTS = ("disk is full", "disk i/o error", "readonly", "unable to open", "is locked")


def open_writer(path: Path) -> sqlite3.Connection:
    """The database in write-ahead mode, made or brought to the present version where needed.

    Raises StoreError when it is damaged, newer than this software or not a fleet's database.
    """
    with translated(path):
        connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
    try:
        with translated(path):
            _check_identity(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            # Watermarks go out for what is on the disk; NORMAL may lose the last commits with the power.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A read-only view, also beside a running collector. Raises StoreError."""
    if not path.is_file():
        raise StoreError(
            f"{path}: there is no fleet database. Point --data at the folder that `edge-runtime fleet "
            "serve` was started with."
        )
    with translated(path):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            uri=True,
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
        )
    try:
        with translated(path):
            version = _check_identity(connection, path)
            if version < len(MIGRATIONS):
                raise StoreError(
                    f"{path}: has version {version}, older than this software's {len(MIGRATIONS)}. "
                    "Start the collector once, it brings the database up to date."
                )
    except BaseException:
        connection.close()
        raise
    return connection


def files_of(path: Path) -> tuple[tuple[int, int], ...]:
    """Which files an open database is; others, or none, once somebody removed or exchanged one."""
    found = []
    for file in (path, path.with_name(f"{path.name}-wal")):
        try:
            status = file.stat()
        except OSError:
            return ()
        found.append((status.st_dev, status.st_ino))
    return tuple(found)


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """All of the block's changes or none, durable at its end."""
    with translated(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """StorageError for what passes (a full or busy disk), StoreError for a database that is unusable."""
    try:
        yield
    except sqlite3.Error as error:
        name, text = getattr(error, "sqlite_errorname", ""), str(error).lower()
        if name.startswith(_DISK) or any(part in text for part in _DISK_TEXTS):
            raise StorageError(
                f"{path}: cannot be written or read now: {error}. {_advice(name, text)}; what was "
                "committed before is untouched."
            ) from error
        raise StoreError(
            f"{path}: not a usable fleet database: {error}. Restore a backup or move the file away; "
            "devices send again what they still hold."
        ) from error


def _advice(name: str, text: str) -> str:
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) or "is locked" in text:
        return "Another program changes it: let that end"
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")) or re.search("readonly|to open", text):
        # Who reads writes, too: SQLite's index of what is not in the main file yet.
        return (
            "Run it as a user who may write in that folder, as the collector's may, and see whether the "
            "disk can be written"
        )
    return "Free space or see to the disk"


def _check_identity(connection: sqlite3.Connection, path: Path) -> int:
    """The database's version. An empty file has version 0."""
    version = _pragma(connection, "user_version")
    identity = _pragma(connection, "application_id")
    with closing(connection.execute("SELECT count(*) FROM sqlite_master")) as cursor:
        (tables,) = cursor.fetchone()
    if identity != APPLICATION_ID and (tables or version):
        raise StoreError(f"{path}: a SQLite database, but not a fleet's. Choose another --data folder.")
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path}: has version {version}, this software knows up to {len(MIGRATIONS)}. "
            "Run the newer edge-runtime that wrote it."
        )
    return version


def _migrate(connection: sqlite3.Connection) -> None:
    for version in range(_pragma(connection, "user_version"), len(MIGRATIONS)):
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{MIGRATIONS[version]}\nPRAGMA application_id = {APPLICATION_ID};\n"
            f"PRAGMA user_version = {version + 1};\nCOMMIT;"
        )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    with closing(connection.execute(f"PRAGMA {name}")) as cursor:
        return int(cursor.fetchone()[0])
