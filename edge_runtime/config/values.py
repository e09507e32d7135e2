"""Values of the right type that cannot work."""

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, get_args, get_origin
from urllib.parse import urlsplit

import msgspec

from edge_runtime.boards import board
from edge_runtime.bundle.manifest import check_name
from edge_runtime.config.faults import Fault, plain
from edge_runtime.config.tables import BrokerConfig, Config, Part, SourceConfig, TemperatureConfig
from edge_runtime.errors import ConfigError, ManifestError
from edge_runtime.telemetry.messages import Topics

MAX_MODELS = 64
_TOPIC = re.compile(r"[^\s+#\x00-\x1f]{1,200}\Z")


def of_config(config: Config) -> Iterator[Fault]:
    """All faults: the device's name, numbers anywhere, then the fleet and model by model."""
    yield from _of_text("device.id", Topics, config.device.id)
    if config.device.board is not None:
        yield from _of_text("device.board", board, config.device.board)
    yield from _of_numbers(config, "")
    if config.device.temperature:
        yield from _of_temperature(config.device.temperature)
    if config.fleet:
        yield from _of_broker("fleet", config.fleet)
    if len(config.models) > MAX_MODELS:
        yield Fault("models", f"expected 0 to {MAX_MODELS} tables, found {len(config.models)}.")
    for index, model in enumerate(config.models):
        where = f"models[{index}]"
        yield from _of_text(f"{where}.name", check_name, model.name)
        yield from _of_source(f"{where}.source", model.source)
        if model.variant is not None and not (model.variant and model.variant.isprintable()):
            yield Fault(
                f"{where}.variant",
                f"expected the id of a variant of the bundle, found {model.variant!r}. Name one that "
                "`edge-runtime inspect` tells, or leave it out.",
            )
        if model.provider is not None and not (model.provider and model.provider.isprintable()):
            yield Fault(
                f"{where}.provider",
                f"expected the name of a provider, found {model.provider!r}. Name one that "
                "`edge-runtime bench --all-variants` tells, such as cpu, or leave it out.",
            )
        if model.trial.fleet and config.fleet is None:
            yield Fault(
                f"{where}.trial.fleet",
                "expected a [fleet] table beside it, found none. Add it or say false.",
            )
        yield from _of_neighbours(config, index)


def _of_temperature(temperature: TemperatureConfig) -> Iterator[Fault]:
    ceiling_c, resume_c = temperature.ceiling_c, temperature.resume_below_c
    if resume_c >= ceiling_c:  # of no numbers `_of_numbers` tells
        yield Fault(
            "device.temperature.resume_c",
            f"expected less than ceiling_c, {ceiling_c:g} °C, found {resume_c:g}. Leave some degrees "
            "between them.",
        )


def _of_neighbours(config: Config, index: int) -> Iterator[Fault]:
    """What a model must not have in common with one before it."""
    model, where = config.models[index], f"models[{index}]"
    others = config.models[:index]
    if any(other.name == model.name for other in others):
        yield Fault(f"{where}.name", f"{model.name!r} is configured twice.")
    elif any(config.journal(other) == config.journal(model) for other in others):
        yield Fault(f"{where}.source.journal", "two models would share one journal. Give each its own.")


def _of_numbers(part: Part, where: str) -> Iterator[Fault]:
    """Numbers out of the range that stands at their key."""
    for field in msgspec.structs.fields(type(part)):
        value, key = getattr(part, field.name), f"{where}.{field.name}".lstrip(".")
        if isinstance(value, Part):
            yield from _of_numbers(value, key)
        elif isinstance(value, tuple):
            for index, item in enumerate(value):
                yield from _of_numbers(item, f"{key}[{index}]")
        elif value is not None and (limits := bounds_of(field.type)):
            low, high, unit = limits["low"], limits["high"], limits["unit"]
            if not low <= value <= high:
                bounds = f"{plain(low)} to {plain(high)} {unit}".rstrip()
                yield Fault(key, f"expected {bounds}, found {plain(value)}.")


def bounds_of(hint: Any) -> dict[str, Any] | None:
    """`low`, `high` and `unit` of a number's type, as `tables` writes them; None for other types."""
    for kind in (hint, *get_args(hint)):
        if get_origin(kind) is Annotated:
            for meta in kind.__metadata__:
                if isinstance(meta, msgspec.Meta) and meta.extra:
                    return dict(meta.extra)
    return None


def _of_source(where: str, source: SourceConfig) -> Iterator[Fault]:
    yield from _of_broker(where, source)
    if not _TOPIC.match(source.topic):
        yield Fault(
            f"{where}.topic",
            "expected one topic of 1 to 200 characters with no space, '+' or '#', "
            f"found {source.topic!r}.",
        )


def _of_broker(where: str, broker: BrokerConfig) -> Iterator[Fault]:
    try:
        url = urlsplit(broker.url)
        fits = url.scheme in ("mqtt", "mqtts") and bool(url.hostname) and url.port != 0
    except ValueError:
        fits = False
    if not fits or f"{url.scheme}://{url.netloc}" != broker.url.rstrip("/") or "@" in url.netloc:
        yield Fault(
            f"{where}.url",
            "expected mqtt://host:port or mqtts://host:port and nothing more, "
            f"found {_without_password(broker.url)!r}.{_belongs(broker.url)}",
        )
    elif url.scheme == "mqtt" and (broker.ca or broker.certificate or broker.key):
        yield Fault(f"{where}.url", "ca, certificate and key need TLS. Use mqtts:// here.")
    if (broker.certificate is None) != (broker.key is None):
        yield Fault(where, "certificate and key only work together. Give both or neither.")
    if broker.password_file and not broker.username:
        yield Fault(f"{where}.password_file", "a password needs a username beside it.")


def _belongs(url: str) -> str:
    """Where a user's name and password go that stand in a URL."""
    return " Write the user into `username`, the password into a file." if "@" in url else ""


def _without_password(url: str) -> str:
    return re.sub(r"//[^/]*@", "//…@", url)


def _of_text(where: str, check: Callable[[str], Any], value: str) -> Iterator[Fault]:
    try:
        check(value)
    except (ConfigError, ManifestError) as error:
        yield Fault(where, str(error).removeprefix(f"{where.rpartition('.')[2]}: "))
