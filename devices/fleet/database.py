"""The collector's side of the fleet's database: one transaction for as many messages as are there."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import msgspec

from devices.fleet import sqlite
from devices.fleet.ingest import Ledger, receive
from devices.fleet.payloads import Message
from edge_runtime.errors import StoreError
from edge_runtime.telemetry.messages import Batch, Metrics, Prediction, Reported, Row, Status

_REFUSAL_CHARACTERS = 200

# The ledger knows what is new. The unique index stays the last word, should the ledger ever be wrong.
_PREDICTION = (
    "INSERT INTO predictions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (stream, seq) DO NOTHING"
)
_METRICS = "INSERT INTO metrics VALUES (?, ?, ?, ?, ?) ON CONFLICT (stream, seq) DO NOTHING"
_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (stream, seq) DO NOTHING"
_MODEL = "INSERT INTO models (model, version, digest) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_MODEL_ID = "SELECT id FROM models WHERE model = ? AND version = ? AND digest = ?"
_WAY = "INSERT INTO ways (variant, provider) VALUES (?, ?) ON CONFLICT DO NOTHING"
_WAY_ID = "SELECT id FROM ways WHERE variant = ? AND provider = ?"

_Names = tuple[str, ...]


@dataclass(frozen=True)
class Arrival:
    """One message of a device. `received`: Unix time, s. `retained`: an old one, kept by the broker."""

    device: str
    message: Message
    received: float
    retained: bool = False


@dataclass(frozen=True)
class Refusal:
    """One payload of a device that was not taken, and why."""

    device: str
    reason: str


@dataclass(frozen=True)
class Watermark:
    """What to tell a device. `current`: whether `stream` is the one it writes now."""

    device: str
    stream: str
    seq: int
    current: bool


class Database:
    """The only writer. Use as a context manager, from one thread."""

    def __init__(self, folder: Path) -> None:
        """Opens or makes `folder`/fleet.db. Raises StoreError, StorageError."""
        self.path = folder / sqlite.FILE_NAME
        self._connection = sqlite.open_writer(self.path)
        self._files = sqlite.files_of(self.path)

    def __enter__(self) -> "Database":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def store(self, messages: Sequence[Arrival | Refusal]) -> tuple[Watermark, ...]:
        """Commit all of them, and only then say which watermarks may go out.

        Raises StorageError (nothing was changed; try again later) or StoreError.
        """
        with sqlite.transaction(self._connection, self.path):
            transaction = _Transaction(self._connection)
            for message in messages:
                transaction.take(message)
            watermarks = transaction.finish()
        self._demand_its_files()
        return watermarks

    def _demand_its_files(self) -> None:
        """What is committed into a file that has no name any more is lost, and SQLite does not mind."""
        if sqlite.files_of(self.path) != self._files:
            raise StoreError(
                f"{self.path}: expected the database that was opened, found that somebody removed or "
                "exchanged it meanwhile. Nothing more was acknowledged. Put it back if you can, and "
                "start the collector again; devices send again what they still hold."
            )


@dataclass
class _Stream:
    identity: int
    ledger: Ledger
    received: float


class _Transaction:
    """What one transaction has touched. Ledgers are read once and written once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._streams: dict[tuple[str, str], _Stream] = {}
        self._models: dict[_Names, int] = {}
        self._ways: dict[_Names, int] = {}
        self._devices: set[str] = set()

    def take(self, message: Arrival | Refusal) -> None:
        self._know(message.device)
        if isinstance(message, Refusal):
            self._refuse(message.device, message.reason)
        elif isinstance(message.message, Batch):
            self._take_batch(message, message.message)
        elif isinstance(message.message, Status):
            self._take_status(message, message.message)
        else:
            self._take_reported(message, message.message)

    def finish(self) -> tuple[Watermark, ...]:
        found = self._connection.execute
        watermarks = []
        for (device, name), stream in self._streams.items():
            self._write(stream)
            (current,) = found("SELECT stream FROM devices WHERE device = ?", [device]).fetchone()
            watermarks.append(Watermark(device, name, stream.ledger.watermark, current == name))
        return tuple(watermarks)

    def _know(self, device: str) -> None:
        if device not in self._devices:
            self._connection.execute(
                "INSERT INTO devices (device) VALUES (?) ON CONFLICT DO NOTHING", [device]
            )
            self._devices.add(device)

    def _refuse(self, device: str, reason: str) -> None:
        self._connection.execute(
            "UPDATE devices SET refused = refused + 1, refusal = ? WHERE device = ?",
            [reason[:_REFUSAL_CHARACTERS], device],
        )

    def _seen(self, arrival: Arrival) -> None:
        if not arrival.retained:
            self._connection.execute(
                "UPDATE devices SET last_seen = ? WHERE device = ?",
                [arrival.received, arrival.device],
            )

    def _take_status(self, arrival: Arrival, status: Status) -> None:
        self._connection.execute(
            "UPDATE devices SET online = ?, boot = ?, stream = ?, software = ?, status_time = ? "
            "WHERE device = ?",
            [status.online, status.boot, status.stream, status.software, status.time, arrival.device],
        )
        if status.online and not arrival.retained:
            # A birth is answered with where we are: this broker may not hold our last answer.
            self._seen(arrival)
            self._stream(arrival, status.stream)

    def _take_reported(self, arrival: Arrival, reported: Reported) -> None:
        models = msgspec.json.encode(reported.models).decode()
        execute = self._connection.execute
        (before,) = execute("SELECT reported FROM devices WHERE device = ?", [arrival.device]).fetchone()
        root = msgspec.json.encode(reported.root).decode()
        execute(
            "UPDATE devices SET reported = ?, root = ?, reported_time = ? WHERE device = ?",
            [models, root, reported.time, arrival.device],
        )
        if models != before:
            execute(
                "INSERT INTO reported_history (device, received, time, boot, reported) "
                "VALUES (?, ?, ?, ?, ?)",
                [arrival.device, arrival.received, reported.time, reported.boot, models],
            )
        self._seen(arrival)

    def _take_batch(self, arrival: Arrival, batch: Batch) -> None:
        stream = self._stream(arrival, batch.stream)
        received = receive(stream.ledger, batch)
        if received is None:
            self._refuse(arrival.device, "rows with too many gaps between them")
            return
        stream.ledger = received.ledger
        stream.received = arrival.received
        for row in received.rows:
            self._insert(stream.identity, arrival.received, row)
        self._seen(arrival)

    def _insert(self, stream: int, received: float, row: Row) -> None:
        head = (stream, row.seq, received, row.time)
        execute = self._connection.execute
        if isinstance(row, Prediction):
            model = self._model(row.model, row.version, row.digest)
            window = (row.segment, row.first, row.last)
            outputs = (row.label, _numbers(row.probabilities), _numbers(row.values), row.latency_us)
            way = self._way(row.variant, row.provider)
            execute(_PREDICTION, (*head, model, *window, *outputs, way))
        elif isinstance(row, Metrics):
            execute(_METRICS, (*head, msgspec.json.encode(row.values).decode()))
        else:
            execute(_EVENT, (*head, row.event, row.model, row.version, row.detail, row.count))

    def _model(self, *names: str) -> int:
        return self._id(self._models, _MODEL, _MODEL_ID, names)

    def _way(self, *names: str) -> int | None:
        return self._id(self._ways, _WAY, _WAY_ID, names) if any(names) else None

    def _id(self, known: dict[_Names, int], insert: str, select: str, names: _Names) -> int:
        """Of the row that holds these names; it is made where there is none."""
        if names not in known:
            self._connection.execute(insert, names)
            (known[names],) = self._connection.execute(select, names).fetchone()
        return known[names]

    def _stream(self, arrival: Arrival, name: str) -> _Stream:
        key = (arrival.device, name)
        if key not in self._streams:
            self._streams[key] = self._read(key) or self._make(key, arrival.received)
        return self._streams[key]

    def _read(self, key: tuple[str, str]) -> _Stream | None:
        found = self._connection.execute(
            "SELECT id, spans, oldest, duplicates, settled, settled_lost, last_seen FROM streams "
            "WHERE device = ? AND stream = ?",
            key,
        ).fetchone()
        if found is None:
            return None
        identity, spans, *counts, last_seen = found
        return _Stream(identity, Ledger(tuple((a, b) for a, b in json.loads(spans)), *counts), last_seen)

    def _make(self, key: tuple[str, str], received: float) -> _Stream:
        execute = self._connection.execute
        made = execute(
            "INSERT INTO streams (device, stream, spans, oldest, duplicates, settled, settled_lost, "
            "watermark, stored, lost, first_seen, last_seen) "
            "VALUES (?, ?, '[]', 1, 0, 0, 0, 0, 0, 0, ?, ?)",
            [*key, received, received],
        )
        # Rows may come before the first status: then theirs is the current stream.
        execute("UPDATE devices SET stream = ? WHERE device = ? AND stream = ''", [key[1], key[0]])
        assert made.lastrowid is not None
        return _Stream(made.lastrowid, Ledger(), received)

    def _write(self, stream: _Stream) -> None:
        ledger = stream.ledger
        self._connection.execute(
            "UPDATE streams SET spans = ?, oldest = ?, duplicates = ?, settled = ?, settled_lost = ?, "
            "watermark = ?, stored = ?, lost = ?, last_seen = ? WHERE id = ?",
            [
                json.dumps(ledger.spans, separators=(",", ":")),
                *(ledger.oldest, ledger.duplicates, ledger.settled, ledger.settled_lost),
                *(ledger.watermark, ledger.stored, ledger.lost, stream.received, stream.identity),
            ],
        )


def _numbers(values: tuple[float, ...]) -> str:
    return msgspec.json.encode(values).decode() if values else ""
