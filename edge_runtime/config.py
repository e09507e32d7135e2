"""The agent's configuration file: TOML in, frozen values out (docs/agent.md).

Unknown keys are refused with the nearest known name, relative paths count from the file's own folder,
and every complaint names the key by its path, such as `models[0].source.topic`.
"""

import difflib
import re
import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints
from urllib.parse import urlsplit

import msgspec

from edge_runtime.bundle.manifest import check_name
from edge_runtime.errors import ConfigError, ManifestError
from edge_runtime.telemetry.messages import Topics

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_CONFIG_BYTES = 1 << 20
MAX_MODELS = 64
_TOPIC = re.compile(r"[^\s+#\x00-\x1f]{1,200}\Z")
_VALIDATION = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<where>[^`]*)`)?\Z", re.DOTALL)


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


class DeviceConfig(Part, frozen=True, kw_only=True):
    """`data` holds the store, the outbox and the journals; `trust` is pinned at the first install."""

    id: str
    data: Path = Path("state")
    trust: Path | None = None


class BrokerConfig(Part, frozen=True, kw_only=True):
    """Where an MQTT broker is: `mqtt://host:port`, or `mqtts://` for TLS."""

    url: str
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    username: str = ""
    password_file: Path | None = None


class FleetConfig(BrokerConfig, frozen=True, kw_only=True):
    """`acknowledge`: rows leave the outbox when the collector has committed them, or on a PUBACK."""

    acknowledge: Literal["collector", "broker"] = "collector"


class SourceConfig(BrokerConfig, frozen=True, kw_only=True):
    """A model's sensor.

    `stride` (samples) overrides the manifest's. `journal` is the file that keeps recent samples.
    A missing sample is waited for `wait_s`; after a reconnect `redelivery_s`, because a broker may
    take its own acknowledgement time-out (nats-server: 30 s) to send again what it had in flight.
    """

    topic: str
    stride: int | None = None
    journal: Path | None = None
    wait_s: float = 2.0
    redelivery_s: float = 35.0


class ModelConfig(Part, frozen=True, kw_only=True):
    """`bundle` is installed at start when the device has no such model yet.

    A worker that needs more than `load_timeout_s` to be ready, golden inputs included, or
    `run_timeout_s` for one run of windows, is ended.
    """

    name: str
    source: SourceConfig
    bundle: Path | None = None
    load_timeout_s: float = 60.0
    run_timeout_s: float = 10.0


class TelemetryConfig(Part, frozen=True, kw_only=True):
    interval_s: float = 10.0
    max_outbox_bytes: int = 100_000_000


class Config(Part, frozen=True, kw_only=True):
    """The whole file. Without `fleet` the device works alone and keeps its rows in the outbox."""

    device: DeviceConfig
    models: tuple[ModelConfig, ...] = ()
    fleet: FleetConfig | None = None
    telemetry: TelemetryConfig = TelemetryConfig()

    @property
    def store(self) -> Path:
        return self.device.data / "store"

    @property
    def outbox(self) -> Path:
        return self.device.data / "outbox.db"

    def journal(self, model: ModelConfig) -> Path:
        return model.source.journal or self.device.data / "journals" / f"{model.name}.ring"


def load(path: Path) -> Config:
    """Read and check a configuration file; files it names are not opened. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}.") from error
    if len(raw) > MAX_CONFIG_BYTES:
        raise ConfigError(f"{path}: expected a configuration of at most {MAX_CONFIG_BYTES} bytes.")
    try:
        table = tomllib.loads(raw.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: expected UTF-8 text, found other bytes at {error.start}.") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: expected TOML, found: {error}.") from error
    try:
        return parse(table, path.absolute().parent)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse(table: dict[str, Any], folder: Path) -> Config:
    """Turn a parsed TOML table into a Config; relative paths count from `folder`."""
    _refuse_unknown(table, Config, "")

    def hook(kind: type, value: Any) -> Any:
        if kind is Path and isinstance(value, str) and value and "\0" not in value:
            return folder / Path(value).expanduser()
        raise ValueError(f"Expected a path, found {value!r}")

    try:
        config = msgspec.convert(table, Config, dec_hook=hook)
    except msgspec.ValidationError as error:
        raise ConfigError(_sentence(str(error))) from error
    data = folder / config.device.data  # the default is relative, too
    config = msgspec.structs.replace(config, device=msgspec.structs.replace(config.device, data=data))
    _check(config)
    return config


def _sentence(complaint: str) -> str:
    found = _VALIDATION.match(complaint)
    assert found is not None
    what = (
        found["what"]
        .replace("Object missing", "missing")
        .replace(", got", ", found")
        .replace(" | null", "")
    )
    # `fleet.acknowledge` is the only one, and msgspec does not tell what there is to choose from.
    what = what.replace("Invalid enum value", "expected 'collector' or 'broker', found")
    where = found["where"]
    return f"`{where}`: {what[:1].lower()}{what[1:]}." if where else f"{what[:1].lower()}{what[1:]}."


def _refuse_unknown(value: Any, kind: Any, where: str) -> None:
    """Complain of the first key no struct knows, before types are looked at."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_unknown(item, kind, f"{where}[{index}]")
    if not isinstance(value, dict):
        return
    hints = get_type_hints(kind)
    for key, item in value.items():
        path = f"{where}.{key}" if where else key
        if key not in hints:
            near = difflib.get_close_matches(key, hints, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known here: {', '.join(hints)}."
            raise ConfigError(f"`{path}`: no such setting. {hint}")
        if part := _part(hints[key]):
            _refuse_unknown(item, part, path)


def _part(hint: Any) -> type[Part] | None:
    """The table type within a hint such as `FleetConfig | None` or `tuple[ModelConfig, ...]`."""
    kinds = [hint, *get_args(hint)]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Part)), None)


def _check(config: Config) -> None:
    """Refuse values of the right type that cannot work."""
    _at("device.id", Topics, config.device.id)
    telemetry = config.telemetry
    _between("telemetry.interval_s", telemetry.interval_s, 0.1, 86_400)
    _between("telemetry.max_outbox_bytes", telemetry.max_outbox_bytes, 1_000_000, 1 << 40)
    if config.fleet:
        _check_broker("fleet", config.fleet)
    _between("models", len(config.models), 0, MAX_MODELS, "tables")
    for index, model in enumerate(config.models):
        where = f"models[{index}]"
        _at(f"{where}.name", check_name, model.name)
        _between(f"{where}.load_timeout_s", model.load_timeout_s, 0.1, 3_600)
        _between(f"{where}.run_timeout_s", model.run_timeout_s, 0.1, 3_600)
        _check_source(f"{where}.source", model.source)
        for other in config.models[:index]:
            if other.name == model.name:
                raise ConfigError(f"`{where}.name`: {model.name!r} is configured twice.")
            if config.journal(other) == config.journal(model):
                raise ConfigError(f"`{where}.source.journal`: two models would share one journal.")


def _check_source(where: str, source: SourceConfig) -> None:
    _check_broker(where, source)
    if not _TOPIC.match(source.topic):
        raise ConfigError(
            f"`{where}.topic`: expected one topic of 1 to 200 characters with no space, '+' or '#', "
            f"found {source.topic!r}."
        )
    if source.stride is not None:
        _between(f"{where}.stride", source.stride, 1, 1_000_000, "samples")
    _between(f"{where}.wait_s", source.wait_s, 0, 3_600)
    _between(f"{where}.redelivery_s", source.redelivery_s, 0, 3_600)


def _check_broker(where: str, broker: BrokerConfig) -> None:
    try:
        url = urlsplit(broker.url)
        fits = url.scheme in ("mqtt", "mqtts") and bool(url.hostname) and url.port != 0
    except ValueError:
        fits = False
    if not fits or f"{url.scheme}://{url.netloc}" != broker.url.rstrip("/") or "@" in url.netloc:
        raise ConfigError(
            f"`{where}.url`: expected mqtt://host:port or mqtts://host:port and nothing more, "
            f"found {_without_password(broker.url)!r}."
        )
    if url.scheme == "mqtt" and (broker.ca or broker.certificate or broker.key):
        raise ConfigError(f"`{where}.url`: ca, certificate and key need TLS. Use mqtts:// here.")
    if (broker.certificate is None) != (broker.key is None):
        raise ConfigError(f"`{where}`: certificate and key only work together. Give both or neither.")
    if broker.password_file and not broker.username:
        raise ConfigError(f"`{where}.password_file`: a password needs a username beside it.")


def _without_password(url: str) -> str:
    return re.sub(r"//[^/]*@", "//…@", url)


def _between(where: str, value: float, low: float, high: float, unit: str = "") -> None:
    if not low <= value <= high:
        expected = f"{low:g} to {high:g} {unit}".rstrip()
        raise ConfigError(f"`{where}`: expected {expected}, found {value:g}.")


def _at(where: str, check: Any, value: str) -> None:
    try:
        check(value)
    except (ConfigError, ManifestError) as error:
        raise ConfigError(f"`{where}`: {error}") from error
