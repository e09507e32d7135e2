"""The three ledgers and what must hold between them; pure functions of values."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Window:
    """One stored prediction: samples `first` to `last` of the stream were called `label`, at `time`."""

    version: str
    first: int
    last: int
    label: str
    latency_us: float
    time: float


@dataclass(frozen=True)
class Live:
    """How the stream's predictions fared. Windows inside one recording are compared with its label;
    windows that straddle two recordings have no single truth and are counted apart."""

    clean: int
    correct: int
    straddling: int
    latencies_us: tuple[float, ...]

    @property
    def accuracy(self) -> float:
        return self.correct / self.clean if self.clean else 0.0


def judge(windows: Sequence[Window], labels: Sequence[str], recording_length: int) -> Live:
    clean = [w for w in windows if w.first // recording_length == w.last // recording_length]
    correct = sum(w.label == labels[w.first // recording_length] for w in clean)
    return Live(
        clean=len(clean),
        correct=correct,
        straddling=len(windows) - len(clean),
        latencies_us=tuple(w.latency_us for w in windows),
    )


def expected_starts(samples: int, length: int, stride: int) -> list[int]:
    """Where the windows of an unbroken stream begin."""
    return list(range(0, samples - length + 1, stride))


@dataclass(frozen=True)
class Ledgers:
    """What the sensor sent, what the outbox numbered, what the fleet's store holds."""

    samples_sent: int
    window_starts: tuple[int, ...]
    outbox_last_seq: int
    stored_rows: int
    lost: int
    duplicates_removed: int

    def windows_are_complete(self, length: int, stride: int) -> bool:
        """Every window of the samples sent was stored, and none twice."""
        return sorted(self.window_starts) == expected_starts(self.samples_sent, length, stride)

    def rows_are_complete(self) -> bool:
        """The store holds every row the outbox ever numbered."""
        return self.stored_rows == self.outbox_last_seq and self.lost == 0


def percentiles_us(latencies_us: Sequence[float]) -> tuple[float, float]:
    """p50 and p99 in microseconds."""
    p50, p99 = np.percentile(np.asarray(latencies_us), (50, 99))
    return float(p50), float(p99)
