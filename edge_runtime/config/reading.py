"""From the file's bytes to a Config, or to everything that is wrong with it."""

import sys
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime import durable
from edge_runtime.config import faults, values
from edge_runtime.config.faults import Fault
from edge_runtime.config.tables import Config
from edge_runtime.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_CONFIG_BYTES = 1 << 20
MAX_FAULTS = 50


def load(path: Path) -> Config:
    """Read and check a configuration file; files it names are not opened.

    Raises ConfigError that tells the first fault.
    """
    found = read(path)
    if isinstance(found, Config):
        return found
    raise _error(found, f"{path}: ")


def read(path: Path) -> Config | list[Fault]:
    """The configuration, or its faults: up to MAX_FAULTS, but values only once all types are right."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        what_to_do = durable.advice(path, error)
        return [Fault("", f"cannot be read: {error.strerror}. {what_to_do}".rstrip())]
    if len(raw) > MAX_CONFIG_BYTES:
        return [Fault("", f"expected a configuration of at most {MAX_CONFIG_BYTES} bytes, found more.")]
    try:
        table = tomllib.loads(raw.decode())
    except UnicodeDecodeError as error:
        return [Fault("", f"expected UTF-8 text, found other bytes at {error.start}.")]
    except (ValueError, RecursionError) as error:  # also for a number of thousands of digits
        return [Fault("", f"expected TOML, found: {error}.")]
    return _read_table(table, path.absolute().parent)


def parse(table: dict[str, Any], folder: Path) -> Config:
    """Turn a parsed TOML table into a Config; relative paths count from `folder`.

    Raises ConfigError that tells the first fault.
    """
    found = _read_table(table, folder)
    if isinstance(found, Config):
        return found
    raise _error(found, "")


def _read_table(table: dict[str, Any], folder: Path) -> Config | list[Fault]:
    def hook(kind: type, value: Any) -> Any:
        if kind is Path and isinstance(value, str) and value and "\0" not in value:
            return folder / Path(value).expanduser()
        raise ValueError(f"Expected a path, found {value!r}")

    found = list(faults.of_table(table, Config, hook))
    if not found:
        config = msgspec.convert(table, Config, dec_hook=hook)
        data = folder / config.device.data  # the default is relative, too
        device = msgspec.structs.replace(config.device, data=data)
        config = msgspec.structs.replace(config, device=device)
        found = list(values.of_config(config))
        if not found:
            return config
    return found[:MAX_FAULTS]


def _error(found: list[Fault], subject: str) -> ConfigError:
    more = len(found) - 1
    hint = f" ({more} more: `edge-runtime config check` tells all.)" if more else ""
    return ConfigError(f"{subject}{found[0]}{hint}")
