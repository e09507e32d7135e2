"""The tables of the file. What a number may be stands at its key, for checks and schema alike."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from edge_runtime.boards import board_names
from edge_runtime.realtime import DEFAULT_PRIORITY, HIGHEST_PRIORITY, LOWEST_PRIORITY


def _about(text: str, **schema: Any) -> Any:
    """What a key is for, and more for the published schema that other code checks."""
    return msgspec.Meta(description=text, extra_json_schema=schema)


def _number(low: float, high: float, text: str, unit: str = "") -> Any:
    """A key for numbers from `low` to `high`."""
    return msgspec.Meta(
        description=text,
        extra_json_schema={"minimum": low, "maximum": high},
        extra={"low": low, "high": high, "unit": unit},
    )


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


class TemperatureConfig(Part, frozen=True, kw_only=True):
    """From `ceiling_c` on the models are eased step by step, and below `resume_c` back again.

    `sensor`: one thermal zone, or a folder of them, of which the hottest counts. Without `resume_c` it
    is 10 °C below the ceiling. One step takes `step_s`, so that it can show.
    """

    ceiling_c: Annotated[float, _number(20, 150, "°C from which on the models are eased.", "°C")] = 80.0
    resume_c: Annotated[float, _number(0, 150, "°C below which they are eased less.", "°C")] | None = (
        None
    )
    sensor: Annotated[
        Path, _about("A thermal zone, or a folder of them.", default="/sys/class/thermal")
    ] = msgspec.field(default_factory=lambda: Path("/sys/class/thermal"))
    step_s: Annotated[float, _number(0.1, 3_600, "Seconds from one step to the next.", "s")] = 10.0

    @property
    def resume_below_c(self) -> float:
        return self.ceiling_c - 10 if self.resume_c is None else self.resume_c


class DeviceConfig(Part, frozen=True, kw_only=True):
    """`data` holds the store, the outbox and the journals; `trust` is pinned at the first install.

    `board`: what the device is; variants that were made for others are passed over.
    """

    id: Annotated[
        str,
        _about("The device's name in every topic.", pattern="^[a-z0-9][a-z0-9-]{0,63}$"),
    ]
    data: Annotated[Path, _about("Folder of store, outbox and journals.", default="state")] = (
        msgspec.field(default_factory=lambda: Path("state"))
    )
    trust: Annotated[Path, _about("Root file that says whose bundles count.")] | None = None
    board: (
        Annotated[str, _about("What the device is, such as pi5.", enum=list(board_names()))] | None
    ) = None
    temperature: TemperatureConfig | None = None


class BrokerConfig(Part, frozen=True, kw_only=True):
    """Where an MQTT broker is: `mqtt://host:port`, or `mqtts://` for TLS."""

    url: Annotated[str, _about("mqtt://host:port, or mqtts:// for TLS.", pattern="^mqtts?://[^/@]+/?$")]
    ca: Annotated[Path, _about("PEM file; else the system's authorities are trusted.")] | None = None
    certificate: Annotated[Path, _about("PEM file that shows who we are; needs key.")] | None = None
    key: Annotated[Path, _about("PEM file without a passphrase; needs certificate.")] | None = None
    username: Annotated[str, _about("For brokers that ask for a password.")] = ""
    password_file: Annotated[Path, _about("File of one line; needs username.")] | None = None


class FleetConfig(BrokerConfig, frozen=True, kw_only=True):
    """`acknowledge`: rows leave the outbox when the collector has committed them, or on a PUBACK."""

    acknowledge: Literal["collector", "broker"] = "collector"


class SourceConfig(BrokerConfig, frozen=True, kw_only=True):
    """A model's sensor.

    `stride` (samples) overrides the manifest's. `journal` is the file that keeps recent samples.
    A missing sample is waited for `wait_s`; after a reconnect `redelivery_s`, because a broker may
    take its own acknowledgement time-out (nats-server: 30 s) to send again what it had in flight.
    """

    topic: Annotated[
        str, _about("One topic, one sensor.", pattern=r"^[^\s+#]+$", minLength=1, maxLength=200)
    ]
    stride: (
        Annotated[int, _number(1, 1_000_000, "Samples between two windows' beginnings.", "samples")]
        | None
    ) = None
    journal: Annotated[Path, _about("File of the recent samples.")] | None = None
    wait_s: Annotated[float, _number(0, 3_600, "How long a missing sample is waited for.", "s")] = 2.0
    redelivery_s: Annotated[float, _number(0, 3_600, "The same after a reconnect.", "s")] = 35.0
    silence_s: Annotated[
        float,
        _number(0, 31_536_000, "Without a sample for so long it is told to be silent; 0: never.", "s"),
    ] = 600.0


class TrialConfig(Part, frozen=True, kw_only=True):
    """What a new version must show while it serves on trial, beside its golden outputs.

    Each start, each crash and each refusal to run uses up one of `attempts`; a clean stop does not.
    """

    attempts: Annotated[int, _number(1, 100, "Starts until it is given up for good.", "starts")] = 3
    predictions: Annotated[
        int, _number(0, 1_000_000, "Good predictions until it is confirmed.", "predictions")
    ] = 10
    serve_s: Annotated[float, _number(0, 604_800, "Seconds it must have served until then.", "s")] = 10.0
    fleet: Annotated[bool, _about("Whether the fleet must have answered since then, too.")] = False


class RealtimeConfig(Part, frozen=True, kw_only=True):
    """The thread that predicts runs before all ordinary work (docs/realtime.md)."""

    priority: Annotated[
        int,
        _number(LOWEST_PRIORITY, HIGHEST_PRIORITY, "Among real-time threads; higher goes first."),
    ] = DEFAULT_PRIORITY


class ModelConfig(Part, frozen=True, kw_only=True):
    """`bundle` is installed at start when the device has no such model yet.

    A worker that needs more than `load_timeout_s` to be ready, golden inputs included, or
    `run_timeout_s` for one run of windows, is ended. It may allocate `memory_mb`, three quarters of the
    machine's without it, and use `cpu` cores on average, without it all that there are. Of the bundle's
    variants and their engines' providers the fastest on this device runs, as was measured at the
    install, or with `prefer = "author"` the first that can serve; `variant` and `provider` leave the
    others out. Without `realtime` the model runs as all else does.
    """

    name: Annotated[str, _about("The name in the bundle's manifest.", minLength=1)]
    source: SourceConfig
    bundle: Annotated[Path, _about("Installed if this model has nothing installed.")] | None = None
    load_timeout_s: Annotated[
        float, _number(0.1, 3_600, "A worker that is not ready by then is ended.", "s")
    ] = 60.0
    run_timeout_s: Annotated[
        float, _number(0.1, 3_600, "A worker that does not answer by then is ended.", "s")
    ] = 10.0
    memory_mb: Annotated[int, _number(64, 1_000_000, "MB its worker may allocate.", "MB")] | None = None
    cpu: Annotated[float, _number(0.01, 1_024, "Cores it may use on average.", "cores")] | None = None
    variant: Annotated[str, _about("The id of the one variant that is to run.", minLength=1)] | None = (
        None
    )
    provider: (
        Annotated[str, _about("What the engine is to run it on, such as cpu.", minLength=1)] | None
    ) = None
    prefer: Annotated[
        Literal["speed", "author"], _about("The fastest here, or the author's first that can serve.")
    ] = "speed"
    realtime: RealtimeConfig | None = None
    trial: TrialConfig = TrialConfig()


class TelemetryConfig(Part, frozen=True, kw_only=True):
    """What is measured how often, and how much of it may wait on the disk."""

    interval_s: Annotated[float, _number(0.1, 86_400, "Seconds between two rows of metrics.", "s")] = (
        10.0
    )
    max_outbox_bytes: Annotated[
        int, _number(1_000_000, 1 << 40, "Beyond it the oldest rows are dropped, and counted.", "bytes")
    ] = 100_000_000


class Config(Part, frozen=True, kw_only=True):
    """The whole file. Without `fleet` the device works alone and keeps its rows in the outbox."""

    device: DeviceConfig
    models: tuple[ModelConfig, ...] = ()
    fleet: FleetConfig | None = None
    telemetry: TelemetryConfig = TelemetryConfig()

    @property
    def board(self) -> str:
        """What the device is; '' where nobody has said."""
        return self.device.board or ""

    @property
    def store(self) -> Path:
        return self.device.data / "store"

    @property
    def outbox(self) -> Path:
        return self.device.data / "outbox.db"

    def journal(self, model: ModelConfig) -> Path:
        return model.source.journal or self.device.data / "journals" / f"{model.name}.ring"


def folders(config: Config) -> list[Path]:
    """The folders that the agent writes to: `device.data`, then those of the journals."""
    return [config.device.data, *(config.journal(model).parent for model in config.models)]


def files(config: Config) -> dict[str, Path]:
    """The files that the agent reads, by the key that names them."""
    found = {"device.trust": config.device.trust}
    brokers: dict[str, BrokerConfig] = {"fleet": config.fleet} if config.fleet else {}
    for index, model in enumerate(config.models):
        found[f"models[{index}].bundle"] = model.bundle
        brokers[f"models[{index}].source"] = model.source
    for where, broker in brokers.items():
        for key in ("ca", "certificate", "key", "password_file"):
            found[f"{where}.{key}"] = getattr(broker, key)
    return {key: path for key, path in found.items() if path is not None}
