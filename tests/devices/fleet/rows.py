"""Rows, batches and messages for the fleet's tests, as a device would make them."""

from collections.abc import Iterable
from typing import Any

import msgspec

from edge_runtime.telemetry.messages import (
    Batch,
    Event,
    Metrics,
    ModelReport,
    Prediction,
    Reported,
    Row,
    SlotReport,
    SlotState,
    Status,
)

STREAM = "3f1c9a7e5b2d4608"


def row(seq: int) -> Row:
    """The one row of this number: mostly predictions, every tenth a metric or an event."""
    if seq % 20 == 10:
        return Metrics(seq=seq, time=float(seq), values={"cpu_percent": 12.5})
    if seq % 20 == 0:
        return Event(seq=seq, time=float(seq), event="samples_missing", model="motion", count=3)
    return prediction(seq)


def prediction(seq: int, *, model: str = "motion", version: str = "1.0.0") -> Prediction:
    return Prediction(
        seq=seq,
        time=1_800_000_000.0 + seq,
        model=model,
        version=version,
        digest="ab" * 32,
        segment="s1",
        first=10 * seq,
        last=10 * seq + 99,
        label="Walking",
        probabilities=(0.75, 0.25),
        latency_us=12.5,
    )


def batch(seqs: Iterable[int], *, oldest: int = 1, stream: str = STREAM) -> Batch:
    return Batch(stream=stream, oldest=oldest, rows=tuple(row(seq) for seq in seqs))


def birth(*, stream: str = STREAM, boot: int = 1, online: bool = True) -> Status:
    return Status(online=online, boot=boot, stream=stream, software="0.1.0", time=1_800_000_000.0)


def reported(
    *versions: str, active: str = "", time: float = 1_800_000_000.0, error: str = ""
) -> Reported:
    """A device with one model, `motion`, in the given versions, of which `active` runs."""
    slots = tuple(slot(version, number) for number, version in enumerate(versions, 1))
    return Reported(time=time, boot=1, models=(model(*slots, active=active, error=error),))


def slot(version: str, release: int, state: SlotState = "good", **more: Any) -> SlotReport:
    return SlotReport(version=version, release=release, digest=digest_of(version), state=state, **more)


def model(
    *slots: SlotReport, active: str = "", error: str = "", floor: int = 0, **roles: str
) -> ModelReport:
    """`motion`; what runs and the roles are versions."""
    digests = {role: digest_of(version) for role, version in roles.items()}
    return ModelReport(
        name="motion",
        active=digest_of(active) if active else "",
        version=active,
        slots=slots,
        error=error,
        floor=floor,
        **digests,
    )


def digest_of(version: str) -> str:
    return version.replace(".", "").ljust(64, "0")


def encode(message: object) -> bytes:
    return msgspec.json.encode(message)
