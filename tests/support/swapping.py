"""Versions and variants swapped under a running stream, and what the outbox says of it.

Each version has two variants, `heavier`, its author's first, and `light`: it begins with the first, and
goes over to the other when the board is too hot, as a folder of plain files tells. No row names its
variant: `heavier` is known by its probabilities.
"""

import sqlite3
import time
from collections.abc import Mapping, Sequence
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
from tests.support.thermal import Thermal
from tests.support.tiny_bundle import HEAVIER_LACKS, LENGTH, Behaviour
from tests.support.waiting import wait_for

TRIAL = {"predictions": 50, "serve_s": 0.2}
CHUNK = 5  # samples a message: one every 5 ms at 1,000 a second
VARIANTS: Mapping[str, Behaviour] = {"heavier": "heavier", "light": "good"}
_WARM_UP_S = 2.0
_STEP_S = 2.0  # from one easing to the next: long enough to see the one before
_HOT, _NEITHER = 85_000, 75_000  # millidegrees: eased, and neither eased nor resumed


@dataclass(frozen=True)
class Swap:
    """One version installed by the command, or one change to the lighter variant, from its start to its
    end (Unix times, s), and what the device held afterwards. `to`: version and variant."""

    to: str
    began: float
    ended: float
    held: Held
    store_bytes: int
    slots: int


@dataclass(frozen=True)
class Predicted:
    """`by`: version and variant. `run_us`: the model's run for this window, a batch's shared equally."""

    by: str
    first: int
    time: float
    run_us: float


@dataclass(frozen=True)
class Swapped:
    """A stream of `samples` with its swaps, and every prediction in the order of the outbox."""

    began_with: str
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
    def served(self) -> tuple[str, ...]:
        """What predicted, in order, each once for each time it took over."""
        return tuple(by for by, _ in groupby(each.by for each in self.predictions))

    @property
    def asked_for(self) -> tuple[str, ...]:
        return (self.began_with, *(swap.to for swap in self.swaps))

    def gaps_at_the_change_s(self, variant: str = "") -> list[float]:
        """Between the last prediction before a change and the first after it; of those to `variant`."""
        pairs = [
            (before, after) for before, after in pairwise(self.predictions) if before.by != after.by
        ]
        return [after.time - before.time for before, after in pairs if after.by.endswith(variant)]

    def run_us(self, variant: str, window: int) -> list[float]:
        """What that window took after each change to `variant`, counted from 0."""
        groups = [list(found) for _, found in groupby(self.predictions, lambda each: each.by)]
        return [found[window].run_us for found in groups[1:] if found[0].by.endswith(variant)]

    def longest_gaps_s(self, stretches: Sequence[tuple[float, float]]) -> list[float]:
        """The longest time between two predictions in each stretch of Unix times."""
        times = [each.time for each in self.predictions]
        gaps = [(after, after - before) for before, after in pairwise(times) if after > before]
        return [max((gap for at, gap in gaps if a <= at < b), default=0.0) for a, b in stretches]

    def during_swaps(self) -> list[tuple[float, float]]:
        return [(swap.began, swap.ended) for swap in self.swaps]

    def between_swaps(self) -> list[tuple[float, float]]:
        return [(before.ended, after.began) for before, after in pairwise(self.swaps)]


def swap_under_a_stream(folder: Path, count: int, *, rate_hz: float, pause_s: float) -> Swapped:
    """`count` swaps, by turns to another version and to another variant of it, `pause_s` apart, beside a
    stream of windows with a new one at every sample. No fleet: the outbox keeps every row."""
    thermal = Thermal(folder / "thermal")
    thermal.tell("cpu-thermal", _NEITHER)
    limits = {"max_queued_messages": 100_000}
    with Mosquitto(folder / "broker", **limits) as broker:
        room = {"max_outbox_bytes": 1_000_000_000}
        author = {"prefer": "author"}
        rig = AgentRig(
            folder, broker.url, model=author, trial=TRIAL, interval_s=5, telemetry=room, stride=1
        )
        try:
            _may_be_hot(rig, thermal)
            rig.bundle(variants=VARIANTS)
            rig.start()
            with SteadySensor(broker.url, rate_hz, chunk=CHUNK) as sensor:
                wait_for(lambda: rig.model().active, "the first version to be confirmed")
                time.sleep(_WARM_UP_S)
                swaps = tuple(_swap(rig, thermal, number, pause_s) for number in range(count))
                samples = sensor.finish()
            wait_for(lambda: _last(rig) == samples - LENGTH, "the last window", 60)
            assert rig.stop() == 0, rig.said
            return Swapped("1.0.0 heavier", swaps, samples, tuple(map(_predicted, rig.predictions())))
        finally:
            rig.close()


def _may_be_hot(rig: AgentRig, thermal: Thermal) -> None:
    table = f"temperature = {{ sensor = '{thermal.folder}', step_s = {_STEP_S} }}"
    rig.config.write_text(rig.config.read_text().replace("[device]\n", f"[device]\n{table}\n"))


def _predicted(row: Prediction) -> Predicted:
    variant = "light" if 1 - sum(row.probabilities) < HEAVIER_LACKS / 2 else "heavier"
    return Predicted(f"{row.version} {variant}", row.first, row.time, row.latency_us)


def _swap(rig: AgentRig, thermal: Thermal, number: int, pause_s: float) -> Swap:
    """An even one installs the next version, an odd one goes over to that version's other variant."""
    version = f"1.{number // 2 + 1}.0"
    variant = "light" if number % 2 else "heavier"
    time.sleep(pause_s)
    began = _go_over(rig, thermal) if number % 2 else _install(rig, version, seed=number)
    ended = time.time()
    held = settled(rig.pid)
    stored = folder_bytes(rig.data / "store")
    return Swap(f"{version} {variant}", began, ended, held, stored, len(rig.model().slots))


def _install(rig: AgentRig, version: str, seed: int) -> float:
    """When the command began."""
    bundle = rig.bundle(version, seed=seed, variants=VARIANTS)
    began = time.time()
    done = rig.install(bundle)
    assert done.returncode == 0, done.stderr
    bundle.unlink()
    return began


def _go_over(rig: AgentRig, thermal: Thermal) -> float:
    """Have the model eased by one step; more steps would run fewer windows. When it was told."""
    began = time.time()
    before = rig.said.count("goes over to light")
    thermal.tell("cpu-thermal", _HOT)
    wait_for(lambda: rig.said.count("goes over to light") > before, "the step")
    thermal.tell("cpu-thermal", _NEITHER)
    wait_for(lambda: rig.ready["variants"] == {"tiny": "light"}, "the lighter variant")
    return began


def _last(rig: AgentRig) -> int:
    """Where the last window that was predicted begins."""
    with closing(sqlite3.connect(f"file:{rig.data}/outbox.db?mode=ro", uri=True)) as outbox:
        bodies = outbox.execute("SELECT body FROM rows ORDER BY id DESC LIMIT 20").fetchall()
    rows = [msgspec.json.decode(body, type=Row) for (body,) in bodies]
    return next((row.first for row in rows if isinstance(row, Prediction)), -1)
