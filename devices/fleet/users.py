"""The users file of the embedded broker: who may connect, and which topics each may use.

    [arm-7]                        # a device: the name is its id, and it may use its own topics only
    password = "..."               # or a bcrypt hash, which begins with $2; not needed with certificates

    [dashboard]
    role = "reader"                # device (the default), collector or reader
    password = "..."

    [press-sensors]                # or rights of its own, as MQTT topic filters
    publish = ["sensors/press/#"]
    subscribe = []
    password = "..."

With client certificates a user is who its certificate names: `subject`, by default `CN=<name>`.
"""

import sys
from pathlib import Path
from typing import Literal

import msgspec

from edge_runtime.errors import ConfigError
from edge_runtime.telemetry.messages import ROOT, Topics

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_MAX_BYTES = 16 << 20  # about 100,000 users

Role = Literal["device", "collector", "reader"]


class User(msgspec.Struct, frozen=True, kw_only=True):
    """One who may connect. `publish` and `subscribe` are MQTT topic filters."""

    name: str
    password: str
    subject: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    role: Role | None = None
    password: str = ""
    subject: str = ""
    publish: tuple[str, ...] | None = None
    subscribe: tuple[str, ...] | None = None


def read_users(path: Path, *, certificates: bool) -> tuple[User, ...]:
    """The users of a TOML file; with `certificates` a password is not needed. Raises ConfigError."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path}: larger than {_MAX_BYTES >> 20} MiB; expected a users file.")
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: the users file cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file: {error}.") from error
    if not tables:
        raise ConfigError(f"{path}: names no user, so nobody could connect. Add one, see docs/fleet.md.")
    entries = {name: _entry(path, name, table) for name, table in tables.items()}
    return tuple(_user(path, name, entry, certificates) for name, entry in entries.items())


def role_rights(role: Role, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Topic filters a role may publish to and subscribe to."""
    if role == "collector":
        return (f"{ROOT}/+/down/#",), (f"{ROOT}/+/up/#",)
    if role == "reader":
        return (), (f"{ROOT}/#",)
    Topics(name)  # a device's name becomes part of its topics
    return (f"{ROOT}/{name}/up/#",), (f"{ROOT}/{name}/down/#",)


def _user(path: Path, name: str, entry: _Entry, certificates: bool) -> User:
    _check_text(path, name, entry)
    if not entry.password and not certificates:
        raise ConfigError(
            f"{path}: user {name!r} has no password. Give it one, or use client certificates."
        )
    own = entry.publish is not None or entry.subscribe is not None
    if own and entry.role:
        raise ConfigError(f"{path}: user {name!r} has a role and topics of its own; choose one of them.")
    try:
        publish, subscribe = (
            (entry.publish or (), entry.subscribe or ())
            if own
            else role_rights(entry.role or "device", name)
        )
    except ConfigError as error:
        raise ConfigError(f"{path}: user {name!r}: {error}") from error
    return User(
        name=name,
        password=entry.password,
        subject=entry.subject or f"CN={name}",
        publish=publish,
        subscribe=subscribe,
    )


def _entry(path: Path, name: str, table: object) -> _Entry:
    try:
        return msgspec.convert(table, _Entry)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"{path}: user {name!r}: {error}. See docs/fleet.md for the form of a users file."
        ) from error


def _check_text(path: Path, name: str, entry: _Entry) -> None:
    for text in (name, entry.password, entry.subject):
        if not text.isprintable() or len(text) > 1_024:
            raise ConfigError(
                f"{path}: user {name!r}: expected printable text of up to 1,024 characters."
            )
    for topic in (*(entry.publish or ()), *(entry.subscribe or ())):
        # To nats-server '.', '*' and '>' mean what '/', '+' and '#' mean in MQTT.
        levels = topic.split("/")
        wrong = any(c in topic for c in ".*> ") or not topic.isprintable() or not all(levels)
        wild = any("+" in level and level != "+" for level in levels) or "#" in "/".join(levels)[:-1]
        if wrong or wild or (topic.endswith("#") and levels[-1] != "#"):
            raise ConfigError(
                f"{path}: user {name!r}: {topic!r} is not a topic filter this broker can hold: levels "
                "between single '/', no spaces, dots, '*' or '>', '+' for one level, '#' at the end."
            )
