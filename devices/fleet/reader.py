"""Questions to the fleet's database, read-only and safe beside a running collector."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from devices.fleet import sqlite
from devices.fleet.history import Entry, Report, tell
from edge_runtime.errors import InputError
from edge_runtime.telemetry.messages import Event, Metrics, ModelReport, Prediction, RootReport

_MODELS = msgspec.json.Decoder(tuple[ModelReport, ...])
_ROOT = msgspec.json.Decoder(RootReport | None)
_PAGE = 1_000


@dataclass(frozen=True)
class StreamRecord:
    """One stream of a device: how many rows are stored, lost, and how often one came again."""

    device: str
    stream: str
    watermark: int
    stored: int
    lost: int
    duplicates: int
    oldest: int
    first_seen: float
    last_seen: float


@dataclass(frozen=True)
class DeviceRecord:
    """What the fleet knows of a device. Times are Unix times, s; 0 where there is none."""

    device: str
    online: bool
    boot: int
    stream: str
    software: str
    status_time: float
    last_seen: float
    models: tuple[ModelReport, ...]
    root: RootReport | None
    reported_time: float
    stored: int
    lost: int
    duplicates: int
    refused: int
    refusal: str


@dataclass(frozen=True)
class StoredPrediction:
    """A prediction as its device sent it; `received`: the collector's clock, Unix time, s."""

    stream: str
    received: float
    prediction: Prediction


class Reader:
    """Use as a context manager, from one thread."""

    def __init__(self, folder: Path) -> None:
        """Opens `folder`/fleet.db. Raises StoreError when there is none or it is unusable."""
        self.path = folder / sqlite.FILE_NAME
        self._connection = sqlite.open_reader(self.path)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    @contextmanager
    def of_one_moment(self) -> Iterator[None]:
        """What is asked in the block is answered as of its first question, so that counts agree."""
        with sqlite.translated(self.path):
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def devices(self) -> tuple[DeviceRecord, ...]:
        """All devices, by name."""
        # total(), as sum() fails for all of them once a device told of losses beyond 64 bits.
        rows = self._query(
            "SELECT device, online, boot, d.stream, software, status_time, d.last_seen, reported, "
            "root, reported_time, total(stored), total(lost), total(duplicates), refused, refusal "
            "FROM devices d LEFT JOIN streams s USING (device) GROUP BY device ORDER BY device"
        )
        return tuple(_device(row) for row in rows)

    def device(self, device: str) -> DeviceRecord:
        """Raises InputError for a device that was never heard of."""
        for record in self.devices():
            if record.device == device:
                return record
        raise InputError(
            f"device {device!r}: the fleet has never heard of it. `fleet status` lists all."
        )

    def streams(self, device: str) -> tuple[StreamRecord, ...]:
        """The streams of a device, oldest first."""
        rows = self._query(
            "SELECT device, stream, watermark, stored, lost, duplicates, oldest, first_seen, last_seen "
            "FROM streams WHERE device = ? ORDER BY id",
            device,
        )
        return tuple(StreamRecord(*row) for row in rows)

    def predictions(self, device: str, model: str) -> Iterator[StoredPrediction]:
        """All predictions of one model on a device: by stream, oldest first, then by `seq`."""
        rows = self._query(
            "SELECT s.stream, p.received, p.seq, p.time, m.version, m.digest, p.segment, p.first, "
            'p.last, p.label, p.probabilities, p."values", p.latency_us, '
            "coalesce(w.variant, ''), coalesce(w.provider, '') "
            "FROM streams s CROSS JOIN predictions p ON p.stream = s.id JOIN models m ON m.id = p.model "
            "LEFT JOIN ways w ON w.id = p.way WHERE s.device = ? AND m.model = ? ORDER BY s.id, p.seq",
            device,
            model,
        )
        for stream, received, seq, time, version, digest, segment, first, last, label, *outputs in rows:
            prediction = Prediction(
                seq=seq,
                time=time,
                model=model,
                version=version,
                digest=digest,
                segment=segment,
                first=first,
                last=last,
                label=label,
                probabilities=_numbers(outputs[0]),
                values=_numbers(outputs[1]),
                latency_us=outputs[2],
                variant=outputs[3],
                provider=outputs[4],
            )
            yield StoredPrediction(stream, received, prediction)

    def latest_metrics(self, device: str) -> Metrics | None:
        """The last health measurements that a device sent."""
        rows = self._query(
            'SELECT m.seq, m.time, m."values" FROM streams s CROSS JOIN metrics m ON m.stream = s.id '
            "WHERE s.device = ? ORDER BY s.id DESC, m.seq DESC LIMIT 1",
            device,
        )
        for seq, time, values in rows:
            return Metrics(seq=seq, time=time, values=json.loads(values))
        return None

    def events(self, device: str) -> Iterator[tuple[float, Event]]:
        """When each event of a device was received, and the event: by stream, then by `seq`."""
        rows = self._query(
            "SELECT e.received, e.seq, e.time, e.event, e.model, e.version, e.detail, e.count "
            "FROM streams s CROSS JOIN events e ON e.stream = s.id "
            "WHERE s.device = ? ORDER BY s.id, e.seq",
            device,
        )
        for received, seq, time, event, model, version, detail, count in rows:
            yield (
                received,
                Event(
                    seq=seq,
                    time=time,
                    event=event,
                    model=model,
                    version=version,
                    detail=detail,
                    count=count,
                ),
            )

    def reports(self, device: str) -> Iterator[Report]:
        """Each change of what a device reported to run, in the order in which it was received."""
        rows = self._query(
            "SELECT time, received, boot, reported FROM reported_history WHERE device = ? ORDER BY id",
            device,
        )
        for time, received, boot, models in rows:
            yield Report(time, received, boot, _models(models))

    def history(self, device: str) -> tuple[Entry, ...]:
        """Events and changes of the running model, as one story."""
        return tell(self.reports(device), self.events(device))

    def _query(self, question: str, *values: str) -> Iterator[tuple[Any, ...]]:
        with sqlite.translated(self.path):
            cursor = self._connection.execute(question, values)
        while True:
            with sqlite.translated(self.path):
                page = cursor.fetchmany(_PAGE)
            if not page:
                return
            yield from page


def _numbers(stored: str) -> tuple[float, ...]:
    return tuple(json.loads(stored)) if stored else ()


def _models(stored: str) -> tuple[ModelReport, ...]:
    try:
        return _MODELS.decode(stored)
    except msgspec.ValidationError:
        return ()  # an older collector took states that no agent of ours has ever sent


def _device(row: tuple[Any, ...]) -> DeviceRecord:
    name, online, boot, stream, software, status_time, last_seen, models, root, *rest = row
    reported_time, stored, lost, duplicates, refused, refusal = rest
    return DeviceRecord(
        device=name,
        online=bool(online),
        boot=boot,
        stream=stream,
        software=software,
        status_time=status_time,
        last_seen=last_seen,
        models=_models(models),
        root=_ROOT.decode(root),
        reported_time=reported_time,
        stored=int(stored),
        lost=int(lost),
        duplicates=int(duplicates),
        refused=refused,
        refusal=refusal,
    )
