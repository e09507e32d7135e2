"""What the fleet's own database says of the demo's device."""

from itertools import groupby
from pathlib import Path

from ledgers import Window
from processes import DemoError

from devices.fleet.history import Entry
from devices.fleet.reader import DeviceRecord, Reader, StreamRecord
from edge_runtime.errors import EdgeError


class FleetRecord:
    """Questions to the database that the collector writes, asked beside it and after it."""

    def __init__(self, folder: Path, device: str, model: str) -> None:
        self._folder = folder
        self._device = device
        self._model = model

    def running_version(self) -> str:
        """The version the fleet believes to run; '' while it has not heard."""
        record = self.record()
        models = record.models if record else ()
        return next((m.version for m in models if m.name == self._model and m.active), "")

    def record(self) -> DeviceRecord | None:
        try:
            with Reader(self._folder) as reader:
                return next((d for d in reader.devices() if d.device == self._device), None)
        except EdgeError:
            return None  # no database yet

    def window_count(self) -> int:
        with Reader(self._folder) as reader:
            return sum(1 for _ in reader.predictions(self._device, self._model))

    def windows(self) -> list[Window]:
        with Reader(self._folder) as reader:
            stored = [s.prediction for s in reader.predictions(self._device, self._model)]
        return [Window(p.version, p.first, p.last, p.label or "", p.latency_us, p.time) for p in stored]

    def books(self) -> StreamRecord:
        """What was stored, lost and removed as a duplicate, of the device's one stream."""
        with Reader(self._folder) as reader:
            streams = reader.streams(self._device)
        if len(streams) != 1:
            raise DemoError(f"expected one stream of rows, the fleet's record has {len(streams)}")
        return streams[0]

    def history(self) -> list[Entry]:
        with Reader(self._folder) as reader:
            return list(reader.history(self._device))

    def versions_run(self) -> list[str]:
        """The versions that the device reported to run, in order; a restart is no change."""
        versions = [entry.version for entry in self.history() if entry.what == "runs" and entry.version]
        return [version for version, _ in groupby(versions)]
