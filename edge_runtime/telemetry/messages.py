"""What a device and its fleet say to each other: topics and JSON payloads (docs/mqtt.md).

Rows carry their own sequence number. A device numbers every row once, in one sequence a stream; a
stream is one outbox's life and its id is random. The collector stores a row once for each (device,
stream, seq) and answers with its committed watermark, so rows may be sent any number of times.
"""

import re
from typing import Literal

import msgspec

from edge_runtime.errors import ConfigError

ROOT = "edge/v1"
_DEVICE = re.compile(r"[a-z0-9][a-z0-9-]{0,63}\Z")


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """`up/status`, retained: the birth message, or with `online` false the will."""

    online: bool
    boot: int
    stream: str
    software: str
    time: float


class Prediction(msgspec.Struct, frozen=True, kw_only=True, tag="prediction"):
    """One model output. `first` and `last` are the stream's sample numbers of the window's ends.

    `segment` names the unbroken run of samples those numbers belong to; a sensor that starts again
    at zero begins a new one. `probabilities` are in the order of the manifest's classes; `values`
    are a regression's or transformation's outputs, and an anomaly model's score beside its label.
    `time` is Unix time in seconds; `latency_us` is the engine's share. `variant` made it, on `provider`:
    '' where the device's release does not say, and for an engine that has no name for it.
    """

    seq: int
    time: float
    model: str
    version: str
    digest: str
    segment: str
    first: int
    last: int
    label: str | None = None
    probabilities: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    latency_us: float = 0.0
    variant: str = ""
    provider: str = ""


class Metrics(msgspec.Struct, frozen=True, kw_only=True, tag="metrics"):
    """Measurements of the device's health, name to value; names end in their unit."""

    seq: int
    time: float
    values: dict[str, float]


class Event(msgspec.Struct, frozen=True, kw_only=True, tag="event"):
    """Something that happened once: a model was activated, a worker died, samples were missing."""

    seq: int
    time: float
    event: str
    model: str = ""
    version: str = ""
    detail: str = ""
    count: int = 0


Row = Prediction | Metrics | Event


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """`up/telemetry` and `up/prediction/{model}`. `oldest`: the first seq the outbox still holds.

    What the outbox had to drop lies below `oldest` and will never come.
    """

    stream: str
    oldest: int
    rows: tuple[Row, ...]


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """`down/ack`, retained: all rows of `stream` up to and including `seq` are committed."""

    stream: str
    seq: int


SlotState = Literal["writing", "staged", "trial", "good", "bad"]


class SlotReport(msgspec.Struct, frozen=True, kw_only=True):
    """One bundle on a device.

    On trial, `attempts` of the `allowed` ones are left, and `proved` says that it gave its golden
    outputs. `reason` says why it is bad, or why the last attempt of its trial ended.
    """

    version: str
    release: int
    digest: str
    state: SlotState
    attempts: int = 0
    allowed: int = 0
    proved: bool = False
    reason: str = ""


class CandidateReport(msgspec.Struct, frozen=True, kw_only=True):
    """One way to run a model, as its device has measured it: a variant, and what the engine runs it on.

    `p50_us` and `p99_9_us` are of one row, `memory_mb` is the most that its process took; null where
    nothing was measured. `why_not` says why it cannot serve there, '' where it can.
    """

    variant: str
    provider: str = ""
    p50_us: float | None = None
    p99_9_us: float | None = None
    memory_mb: float | None = None
    why_not: str = ""


class ModelReport(msgspec.Struct, frozen=True, kw_only=True):
    """One model on a device. `active` is the digest of what runs, '' where nothing does.

    `variant` and `provider` say how it runs, `note` why not in a better way, and `measured` what the
    device has compared; all of them may be empty. One of `every` windows is run: more than 1 while the
    device eases it.

    `confirmed` is the last one that proved itself, `pending` the one that shall be next, `previous` the
    way back, `rejected` the last one that failed: digests of slots, '' for none. What runs is pending
    while it is on trial. No bundle with a release below `floor` is installed, and none below `declared`
    runs again, as one that was confirmed declared.
    """

    name: str
    active: str
    version: str
    slots: tuple[SlotReport, ...]
    error: str = ""
    confirmed: str = ""
    pending: str = ""
    previous: str = ""
    rejected: str = ""
    floor: int = 0
    declared: int = 0
    variant: str = ""
    provider: str = ""
    note: str = ""
    measured: tuple[CandidateReport, ...] = ()
    every: int = 1


class RootReport(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the device trusts: the version of its root file, and the end of it in Unix time."""

    version: int
    expires: float


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """`up/reported`, retained: what runs on the device now. `root` is null where it trusts none."""

    time: float
    boot: int
    models: tuple[ModelReport, ...]
    root: RootReport | None = None


class Topics(msgspec.Struct, frozen=True):
    """The topics of one device."""

    device: str

    def __post_init__(self) -> None:
        if not _DEVICE.match(self.device):
            raise ConfigError(
                f"device id {self.device!r}: expected 1 to 64 of a-z, 0-9 and '-', beginning with "
                "a letter or a digit."
            )

    @property
    def status(self) -> str:
        return f"{ROOT}/{self.device}/up/status"

    @property
    def telemetry(self) -> str:
        return f"{ROOT}/{self.device}/up/telemetry"

    def prediction(self, model: str) -> str:
        return f"{ROOT}/{self.device}/up/prediction/{model}"

    @property
    def reported(self) -> str:
        return f"{ROOT}/{self.device}/up/reported"

    @property
    def ack(self) -> str:
        return f"{ROOT}/{self.device}/down/ack"

    def of_row(self, row: Row) -> str:
        return self.prediction(row.model) if isinstance(row, Prediction) else self.telemetry


Uplink = Literal["status", "telemetry", "prediction", "reported"]


def parse_uplink(topic: str) -> tuple[str, Uplink] | None:
    """The device and kind of a topic under `edge/v1/+/up/#`; None for a topic that is not ours."""
    parts = topic.split("/")
    if len(parts) < 5 or parts[:2] != ROOT.split("/") or parts[3] != "up":
        return None
    device, kind, rest = parts[2], parts[4], parts[5:]
    if not _DEVICE.match(device):
        return None
    if kind == "prediction" and len(rest) == 1:
        return device, "prediction"
    if kind in ("status", "telemetry", "reported") and not rest:
        return device, kind  # type: ignore[return-value]
    return None
