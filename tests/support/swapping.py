"""Versions swapped under a running stream: the swaps, and what the outbox says of them."""

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import msgspec

from edge_runtime.telemetry.messages import Prediction, Row
from tests.support.agent import AgentRig
from tests.support.brokers import Mosquitto
from tests.support.footprint import Held, folder_bytes, settled
from tests.support.steady_sensor import SteadySensor
from tests.support.tiny_bundle import LENGTH
from tests.support.waiting import wait_for

TRIAL = {"predictions": 50, "serve_s": 0.2}
CHUNK = 5  # samples a message: one every 5 ms at 1,000 a second
_WARM_UP_S = 2.0


@dataclass(frozen=True)
class Swap:
    """One version installed by the command, from its start to its end (Unix times, s), and what the
    device held afterwards."""

    version: str
    began: float
    ended: float
    held: Held
    store_bytes: int
    slots: int


@dataclass(frozen=True)
class Predicted:
    version: str
    first: int
    time: float


@dataclass(frozen=True)
class Swapped:
    """A stream of `samples` with its swaps, and every prediction in the order of the outbox."""

    first_version: str
    swaps: tuple[Swap, ...]
    samples: int
    predictions: tuple[Predicted, ...]

    @property
    def dropped(self) -> int:
        """Windows that were not predicted."""
        return len(set(range(self.samples - LENGTH + 1)) - {each.first for each in self.predictions})

    @property
    def twice(self) -> int:
        """Predictions of a window that had one already."""
        return len(self.predictions) - len({each.first for each in self.predictions})

    @property
    def in_order(self) -> bool:
        return all(before.first < after.first for before, after in pairwise(self.predictions))

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that predicted, in order, each once for each time it took over."""
        return tuple(version for version, _ in groupby(each.version for each in self.predictions))

    @property
    def versions_asked_for(self) -> tuple[str, ...]:
        return (self.first_version, *(swap.version for swap in self.swaps))

    def gaps_at_the_change_s(self) -> list[float]:
        """Between the last prediction of a version and the first of the next."""
        pairs = pairwise(self.predictions)
        return [after.time - before.time for before, after in pairs if before.version != after.version]

    def longest_gaps_s(self, stretches: Sequence[tuple[float, float]]) -> list[float]:
        """The longest time between two predictions in each stretch of Unix times."""
        times = [each.time for each in self.predictions]
        gaps = [(after, after - before) for before, after in pairwise(times) if after > before]
        return [max((gap for at, gap in gaps if a <= at < b), default=0.0) for a, b in stretches]

    def during_swaps(self) -> list[tuple[float, float]]:
        return [(swap.began, swap.ended) for swap in self.swaps]

    def between_swaps(self) -> list[tuple[float, float]]:
        return [(before.ended, after.began) for before, after in pairwise(self.swaps)]


def swap_versions(folder: Path, count: int, *, rate_hz: float, pause_s: float) -> Swapped:
    """Install `count` versions one after the other, `pause_s` apart, beside a stream of windows with
    a new one at every sample. No fleet: the outbox keeps every row."""
    limits = {"max_queued_messages": 100_000}
    with Mosquitto(folder / "broker", **limits) as broker:
        room = {"max_outbox_bytes": 1_000_000_000}
        rig = AgentRig(folder, broker.url, trial=TRIAL, interval_s=5, telemetry=room, stride=1)
        try:
            rig.start()
            with SteadySensor(broker.url, rate_hz, chunk=CHUNK) as sensor:
                wait_for(lambda: rig.model().active, "the first version to be confirmed")
                time.sleep(_WARM_UP_S)
                swaps = tuple(_swap(rig, number, pause_s) for number in range(1, count + 1))
                samples = sensor.finish()
            wait_for(lambda: _last(rig) == samples - LENGTH, "the last window", 60)
            assert rig.stop() == 0, rig.said
            found = tuple(Predicted(row.version, row.first, row.time) for row in rig.predictions())
            return Swapped("1.0.0", swaps, samples, found)
        finally:
            rig.close()


def _swap(rig: AgentRig, number: int, pause_s: float) -> Swap:
    version = f"1.{number}.0"
    bundle = rig.bundle(version, seed=number)
    time.sleep(pause_s)
    began = time.time()
    done = rig.install(bundle)
    ended = time.time()
    assert done.returncode == 0, done.stderr
    bundle.unlink()
    held = settled(rig.pid)
    store = rig.data / "store"
    return Swap(version, began, ended, held, folder_bytes(store), len(rig.model().slots))


def _last(rig: AgentRig) -> int:
    """Where the last window that was predicted begins."""
    with closing(sqlite3.connect(f"file:{rig.data}/outbox.db?mode=ro", uri=True)) as outbox:
        bodies = outbox.execute("SELECT body FROM rows ORDER BY id DESC LIMIT 20").fetchall()
    rows = [msgspec.json.decode(body, type=Row) for (body,) in bodies]
    return next((row.first for row in rows if isinstance(row, Prediction)), -1)
