"""A soak: windows in fast motion while everything that can fail does, and what is left of it."""

import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

from devices.fleet.reader import Reader
from tests.support.in_use import InUse
from tests.support.soak_plan import Incident, incidents
from tests.support.soak_site import Reading, Site
from tests.support.steady_sensor import SteadySensor
from tests.support.tiny_bundle import LENGTH
from tests.support.waiting import wait_for

STRIDE = 2
DEVICE, MODEL = "watch-01", "tiny"
_DELIVERED_WITHIN_S = 180.0
_MOST_GROWTH_BYTES = 8 << 20
_MOST_WORKER_GROWTH_BYTES = 1 << 20
# Once the last agent is warm, as it says itself. What is leaked in small pieces, say a megabyte an hour
# of 100 bytes each, is 2,600 in the quarter of an hour that is looked at; without one it is within 600.
_MOST_BLOCKS = 1500
_MOST_STORE_BYTES = 1 << 20
_MOST_OUTBOX_ROWS = 200
_GOOD_SLOTS = 2


@dataclass(frozen=True)
class Record:
    """What the collector has of the device: (version, first sample) of each prediction in order,
    events by name, rows lost, and rows that came again and were removed."""

    predictions: tuple[tuple[str, int], ...]
    events: Counter[str]
    lost: int
    removed: int


@dataclass(frozen=True)
class Soaked:
    """`readings`: at rest before the first incident, after each, and at rest at the end."""

    samples: int
    seconds: float
    befell: tuple[Incident, ...]
    readings: tuple[Reading, ...]
    record: Record
    good: tuple[str, ...]
    refused: int
    slots: int
    exit_status: int

    @property
    def missing(self) -> int:
        return len(set(_starts(self.samples)) - {first for _, first in self.record.predictions})

    @property
    def twice(self) -> int:
        return len(self.record.predictions) - len({first for _, first in self.record.predictions})

    @property
    def last_life(self) -> list[Reading]:
        """Readings of the agent process that lived to the end."""
        return [each for each in self.readings if each.life == self.readings[-1].life]

    @property
    def last_worker(self) -> list[Reading]:
        """Readings of the worker process that lived to the end."""
        return [each for each in self.readings if each.worker == self.readings[-1].worker]

    def growth_bytes(self, since: float = 0.0) -> int:
        """Of the last agent's resident memory, from this share of its readings on."""
        return _growth([each.held.agent_bytes for each in self.last_life], since)

    @property
    def growth_of_worker_bytes(self) -> int:
        """Of the last worker's resident memory, once it is warm."""
        return _growth([each.held.worker_bytes for each in self.last_worker], 0.2)

    @property
    def growth_in_use(self) -> InUse:
        """Of what the last agent has in use, once it is warm."""
        used = [each.in_use for each in self.last_life]
        blocks, malloc_bytes = [each.blocks for each in used], [each.malloc_bytes for each in used]
        return InUse(_growth(blocks, 1 / 3), _growth(malloc_bytes, 1 / 3))

    def faults(self) -> list[str]:
        """What did not hold; nothing, if all is well."""
        starts = [first for _, first in self.record.predictions]
        versions = tuple(name for name, _ in groupby(name for name, _ in self.record.predictions))
        first, last = self.readings[0], self.readings[-1]
        holds = {
            f"no window is missing ({self.missing} are)": self.missing == 0,
            f"no window is there twice ({self.twice} are)": self.twice == 0,
            "the windows are in order": all(a < b for a, b in pairwise(starts)),
            f"the good versions took over in order, no bad one did: {versions}": versions == self.good,
            f"no row is lost ({self.record.lost} are)": self.record.lost == 0,
            "no sample was given up": not self.record.events["samples missing"],
            f"memory is flat (it grew by {self.growth_bytes()} bytes)": self.growth_bytes()
            < _MOST_GROWTH_BYTES,
            f"what the agent has in use is as much as before ({self.growth_in_use})": (
                self.growth_in_use.blocks <= _MOST_BLOCKS
            ),
            f"the worker's memory is flat (it grew by {self.growth_of_worker_bytes} bytes)": (
                self.growth_of_worker_bytes < _MOST_WORKER_GROWTH_BYTES
            ),
            f"processes, threads and descriptors are as at the start: {first.held}, {last.held}": (
                (first.held.processes, first.held.threads, first.held.descriptors)
                == (last.held.processes, last.held.threads, last.held.descriptors)
            ),
            f"the outbox is empty at last ({last.outbox_rows} rows)": last.outbox_rows
            < _MOST_OUTBOX_ROWS,
            f"slots are pruned ({self.slots})": self.slots <= _GOOD_SLOTS,
            f"the store's files are bounded ({last.store_bytes} bytes)": last.store_bytes
            < _MOST_STORE_BYTES,
            f"the journal's file has its size ({last.journal_bytes} bytes)": last.journal_bytes
            == first.journal_bytes,
            f"the agent ends in order ({self.exit_status})": self.exit_status == 0,
        }
        return [claim for claim, held in holds.items() if not held]


def soak(
    folder: Path,
    *,
    seed: int,
    duration_s: float,
    every_s: float,
    windows_hz: float,
    tell: Callable[[float, str], None],
) -> Soaked:
    """`tell` hears of each incident as it begins: seconds since the start, and what it is."""
    planned = incidents(seed, duration_s, every_s)
    with Site(folder) as site:
        with SteadySensor(site.sensor_broker.url, windows_hz * STRIDE) as sensor:
            wait_for(lambda: site.rig.model().active, "the first version to be confirmed")
            readings = [site.read()]
            for incident in planned:
                time.sleep(max(0.0, incident.at_s - site.elapsed_s()))
                tell(site.elapsed_s(), incident.kind)
                site.befall(incident)
                readings.append(site.read())
            time.sleep(max(0.0, duration_s - site.elapsed_s()))
            seconds = site.elapsed_s()
            samples = sensor.finish()
        _wait_until_delivered(site, len(_starts(samples)))
        readings.append(site.read())
        slots = len(site.rig.model().slots)
        status = site.stop_agent()
        record = _record(site.fleet_folder)
        return Soaked(
            samples=samples,
            seconds=seconds,
            befell=planned,
            readings=tuple(readings),
            record=record,
            good=tuple(site.good),
            refused=site.refused,
            slots=slots,
            exit_status=status,
        )


def _growth(values: Sequence[int], since: float) -> int:
    """From this share of them on: the median of the last fifth less that of the first."""
    values = values[int(since * len(values)) :]
    fifth = max(1, len(values) // 5)
    return int(statistics.median(values[-fifth:]) - statistics.median(values[:fifth]))


def _starts(samples: int) -> range:
    """Where the windows of an unbroken stream begin."""
    return range(0, samples - LENGTH + 1, STRIDE)


def _wait_until_delivered(site: Site, windows: int) -> None:
    """Until the collector has so many predictions and the device knows, or it has taken too long."""
    deadline = time.monotonic() + _DELIVERED_WITHIN_S
    while time.monotonic() < deadline:
        stored = len(_record(site.fleet_folder).predictions)
        if stored >= windows and site.rig.outbox_counts().rows < _MOST_OUTBOX_ROWS:
            return
        time.sleep(1)


def _record(folder: Path) -> Record:
    with Reader(folder) as reader:
        stored = [each.prediction for each in reader.predictions(DEVICE, MODEL)]
        streams = reader.streams(DEVICE)
        return Record(
            predictions=tuple((each.version, each.first) for each in stored),
            events=Counter(event.event for _, event in reader.events(DEVICE)),
            lost=sum(stream.lost for stream in streams),
            removed=sum(stream.duplicates for stream in streams),
        )
