"""`fleet status`: what the database knows, as values, as JSON and as text."""

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from devices.fleet import notes
from devices.fleet.collector import collector_running
from devices.fleet.history import Entry, presence
from devices.fleet.reader import DeviceRecord, Reader, StreamRecord

_NEVER = "never"
_WIDEST = 60  # a longer word pushes its own line aside, and no other device's


@dataclass(frozen=True)
class DeviceStatus:
    """`presence`: online, offline or silent (see history.presence)."""

    presence: str
    record: DeviceRecord
    streams: tuple[StreamRecord, ...]
    history: tuple[Entry, ...] | None


@dataclass(frozen=True)
class FleetStatus:
    """`time`: when it was read, Unix time, s. `detailed`: one device was asked for."""

    time: float
    collector_running: bool
    devices: tuple[DeviceStatus, ...]
    detailed: bool = False


def read(folder: Path, device: str | None, *, with_history: bool) -> FleetStatus:
    """Raises StoreError (no usable database), InputError (no such device)."""
    now = time.time()
    with Reader(folder) as reader, reader.of_one_moment():
        records = reader.devices() if device is None else (reader.device(device),)
        found = tuple(
            DeviceStatus(
                presence=presence(record.online, record.last_seen, now),
                record=record,
                streams=reader.streams(record.device),
                history=reader.history(record.device) if with_history else None,
            )
            for record in records
        )
    return FleetStatus(now, collector_running(folder), found, detailed=device is not None)


def as_json(status: FleetStatus) -> str:
    """One document: docs/fleet.md."""
    document = {
        "time": status.time,
        "collector_running": status.collector_running,
        "devices": [_device(device) for device in status.devices],
    }
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def as_text(status: FleetStatus) -> str:
    """A table for people, and below it what deserves a line of its own."""
    running = "running" if status.collector_running else "NOT running"
    lines = [f"collector: {running}; devices: {len(status.devices)}"]
    if status.devices:
        lines += ["", *_table(status)]
    for device in status.devices:
        lines += _notes(device, status.time)
        if status.detailed:
            lines += _measured(device.record)
        if device.history is not None:
            lines += ["", f"{device.record.device}, its history:", *map(_line, device.history)]
    return "\n".join(map(_harmless, lines))


def _device(device: DeviceStatus) -> dict[str, object]:
    record = msgspec.to_builtins(device.record)
    document: dict[str, object] = {
        "device": record.pop("device"),
        "presence": device.presence,
        **record,
        "streams": device.streams,
    }
    return document if device.history is None else document | {"history": device.history}


def _table(status: FleetStatus) -> list[str]:
    head = (
        "DEVICE",
        "PRESENCE",
        "LAST SEEN",
        "SOFTWARE",
        "RUNS",
        "STORED",
        "LOST",
        "DUPLICATES REMOVED",
    )
    rows = [head, *(_row(device, status.time) for device in status.devices)]
    widths = [min(max(len(row[column]) for row in rows), _WIDEST) for column in range(len(head))]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _row(device: DeviceStatus, now: float) -> tuple[str, ...]:
    record = device.record
    runs = ", ".join(notes.runs(model) for model in record.models if model.active)
    counts = (f"{count:,}" for count in (record.stored, record.lost, record.duplicates))
    seen = _ago(now - record.last_seen) if record.last_seen else _NEVER
    return (record.device, device.presence, seen, record.software or "?", runs or "nothing", *counts)


def _notes(device: DeviceStatus, now: float) -> list[str]:
    record = device.record
    found = [f"{model.name}: {note}" for model in record.models for note in notes.of_model(model)]
    found += notes.of_root(record.root, now)
    if record.refused:
        found.append(f"{record.refused:,} payloads refused, the last one: {record.refusal}")
    return [f"  {record.device}: {note}" for note in found]


def _measured(record: DeviceRecord) -> list[str]:
    lines = []
    for model in record.models:
        if found := list(notes.measured(model)):
            lines += ["", f"{record.device}, measured there for {model.name} {model.version}:"]
            lines += [f"  {line}" for line in found]
    return lines


def _line(entry: Entry) -> str:
    when = _when(entry.time)
    count = f"×{entry.count}" if entry.count else ""
    parts = (when, entry.what, f"{entry.model} {entry.version}".strip(), entry.detail, count)
    return "  " + "  ".join(part for part in parts if part)


def _when(seconds: float) -> str:
    """Local time; devices may send any number."""
    try:
        return datetime.fromtimestamp(seconds).astimezone().isoformat(sep=" ", timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return "at no time"


def _harmless(line: str) -> str:
    """Devices chose some of these texts; none of them shall drive the terminal."""
    return "".join(character if character.isprintable() else "?" for character in line)


def _ago(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago" if seconds > -60 else "in the future"
