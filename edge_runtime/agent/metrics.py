"""The measurements an agent takes of its device and of itself."""

import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edge_runtime.agent.books import Books
from edge_runtime.agent.pace import cpu_s
from edge_runtime.agent.patience import Asking
from edge_runtime.agent.runner import ModelRunner
from edge_runtime.config import Config
from edge_runtime.telemetry.health import Health, resident_bytes
from edge_runtime.telemetry.messages import Metrics

_NAMES = {
    "taken": "samples_taken",
    "duplicates": "samples_duplicate",
    "late": "samples_late",
    "missing": "samples_missing",
    "rejected": "samples_rejected",
    "windows": "windows",
    "waiting": "windows_waiting",
    "dropped": "windows_dropped",
    "skipped": "windows_skipped",
    "failed": "windows_failed",
    "predictions": "predictions",
    "worker_restarts": "worker_restarts",
}


_TOLD_EVERY = 6  # rows: what commands beside the agent are told is written, too


class Counted(NamedTuple):
    """What was counted of each model until `time`, in Unix seconds; 0 while nothing was."""

    counts: Mapping[str, Mapping[str, int]] = {}
    time: float = 0.0


class Meter:
    """Writes one row of metrics every `telemetry.interval_s`; counters are sums over all models.

    `counted` is the same by model, of every sixth row.
    """

    def __init__(
        self,
        config: Config,
        books: Books,
        runners: Mapping[str, ModelRunner],
        *,
        root: Path = Path("/"),
    ) -> None:
        """`root`: where /proc and /sys are."""
        self._interval_s = config.telemetry.interval_s
        self._books = books
        self._runners = runners
        health = Health(config.device.data, root=root)
        self._device = Asking(health.sample)  # a disk may hang
        self._temperature = Asking(health.temperature)  # and so may a sensor's driver
        self.counted = Counted()
        self._rows = 0
        self._next = time.monotonic() + self._interval_s
        self._used: dict[int, float] = {}  # CPU seconds of each worker at the last row
        self._looked = time.monotonic()

    def step(self, *, last: bool = False) -> None:
        now = time.monotonic()
        if now < self._next and not last:
            return
        self._next = max(self._next + self._interval_s, now)
        counts = {name: _told(runner.counters()) for name, runner in self._runners.items()}
        if self._rows % _TOLD_EVERY == 0:
            self.counted = Counted(counts, time.time())
        self._rows += 1
        self._books.write([Metrics(seq=0, time=time.time(), values=self._measure(counts.values()))])

    def _measure(self, counts: Collection[Mapping[str, int]]) -> dict[str, float]:
        values = {**(self._device.ask() or {}), **(self._temperature.ask() or {})}
        values.update(self._workers())
        values.update(self._books.counters())
        for name in _NAMES.values():
            values[name] = float(sum(each[name] for each in counts))
        latencies = sorted(us for runner in self._runners.values() for us in runner.take_latencies())
        if latencies:
            last = len(latencies) - 1  # np.percentile would do so, too, and take 2 MB for its imports
            p50, p99 = np.interp((0.5 * last, 0.99 * last), range(len(latencies)), latencies)
            values["inference_p50_us"] = round(float(p50), 1)
            values["inference_p99_us"] = round(float(p99), 1)
        return values

    def _workers(self) -> dict[str, float]:
        """What the models' processes take together; 100 percent are one core, over the interval."""
        before, self._used = self._used, {}
        resident = 0
        for runner in self._runners.values():
            worker = runner.answering
            if worker is None or (used_s := cpu_s(worker.pid)) is None:
                continue
            self._used[worker.pid] = used_s
            with suppress(OSError, ValueError, IndexError):  # it ended meanwhile
                resident += resident_bytes(worker.pid)
        since, self._looked = self._looked, time.monotonic()
        used = sum(now - before.get(pid, 0.0) for pid, now in self._used.items())
        share = used / max(self._looked - since, 0.001)
        return {
            "workers_resident_bytes": float(resident),
            "workers_cpu_percent": round(100 * share, 1),
        }


def _told(counters: Mapping[str, int]) -> dict[str, int]:
    return {told: counters.get(name, 0) for name, told in _NAMES.items()}
