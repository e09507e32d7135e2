"""What is wrong with the shape of the file: unknown keys, missing ones, values of the wrong type."""

import difflib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

import msgspec

from edge_runtime.config.tables import Part

_NUMBERS = ("a number", "a whole number")
_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Path: "a path in quotes",
    str: "text in quotes",
}
_MAX_SHOWN = 60
Hook = Callable[[type, Any], Any]


class Fault(NamedTuple):
    """One thing that is wrong; `key` is '' for the file as a whole."""

    key: str
    text: str

    def __str__(self) -> str:
        return f"`{self.key}`: {self.text}" if self.key else self.text


def of_table(table: Any, kind: type[Part], hook: Hook, where: str = "") -> Iterator[Fault]:
    """All faults of a parsed table that is to become a `kind`; `hook` converts what TOML has not."""
    if not isinstance(table, dict):
        yield from _of_value(table, kind, hook, where)
        return
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    meant = set()
    for key in (key for key in table if key not in fields):
        near = difflib.get_close_matches(key, fields, n=1)
        meant |= set(near)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known here: {', '.join(fields)}."
        yield Fault(_join(where, key), f"no such setting. {hint}")
    for name, field in fields.items():
        if name not in table:
            if field.required and name not in meant:
                yield Fault(where, f"expected the setting `{name}`, found none. Add it.")
        else:
            yield from _of_field(table[name], field.type, hook, _join(where, name))


def _of_field(value: Any, hint: Any, hook: Hook, where: str) -> Iterator[Fault]:
    part = _part(hint)
    if part is not None and isinstance(value, dict) and _is_list(hint):
        yield Fault(where, f"expected tables in double brackets, [[{where}]], found one table.")
    elif part is not None and isinstance(value, dict):
        yield from of_table(value, part, hook, where)
    elif part is not None and isinstance(value, list) and _is_list(hint):
        for index, item in enumerate(value):
            yield from of_table(item, part, hook, f"{where}[{index}]")
    else:
        yield from _of_value(value, hint, hook, where)


def _of_value(value: Any, hint: Any, hook: Hook, where: str) -> Iterator[Fault]:
    try:
        msgspec.convert(value, hint, dec_hook=hook)
    except msgspec.ValidationError:
        expected = _expected(hint, where)
        unquote = expected in _NUMBERS and isinstance(value, str) and value[:1].isdigit()
        what_to_do = " Write it without quotes and without a unit." if unquote else ""
        yield Fault(where, f"expected {expected}, found {_shown(value)}.{what_to_do}")


def _expected(hint: Any, where: str) -> str:
    """What a setting of this type is, in the words of TOML's users."""
    if _part(hint):
        return f"tables in double brackets, [[{where}]]" if _is_list(hint) else "a table"
    if choices := _choices(hint):
        return " or ".join(map(repr, choices))
    return next(words for kind, words in _WORDS.items() if kind in _kinds(hint))


def _shown(value: Any) -> str:
    """What was found; of a list or table, which may hold a password, not what is in it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, int):
        return plain(value)
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def plain(number: float) -> str:
    """A number for people, in full: 1,000,000 and 0.5."""
    try:
        return f"{number:,.15g}"
    except OverflowError:
        return "one of hundreds of digits"


def _kinds(hint: Any) -> Iterator[Any]:
    """A hint and what it is made of."""
    yield hint
    for part in get_args(hint):
        yield from _kinds(part)


def _choices(hint: Any) -> tuple[str, ...]:
    """The texts that a setting can be one of."""
    return next((get_args(kind) for kind in _kinds(hint) if get_origin(kind) is Literal), ())


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _is_list(hint: Any) -> bool:
    return getattr(hint, "__origin__", None) is tuple


def _part(hint: Any) -> type[Part] | None:
    """The table type within a hint such as `FleetConfig | None` or `tuple[ModelConfig, ...]`."""
    kinds = [hint, *get_args(hint)]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Part)), None)
