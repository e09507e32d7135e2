"""What is wrong with the shape of the file: unknown keys, missing ones, values of the wrong type."""

import difflib
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple, get_args, get_origin

import msgspec

from edge_runtime.config.tables import Part

_VALIDATION = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<where>[^`]*)`)?\Z", re.DOTALL)
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
                yield Fault(where, f"missing required field `{name}`.")
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
    except msgspec.ValidationError as error:
        yield Fault(where, _sentence(str(error), hint))


def _sentence(complaint: str, hint: Any) -> str:
    found = _VALIDATION.match(complaint)
    assert found is not None
    what = found["what"].replace(", got", ", found").replace(" | null", "")
    what = what.replace("`object`", "a table")
    # msgspec does not tell what there is to choose from.
    choices = " or ".join(map(repr, _choices(hint)))
    what = what.replace("Invalid enum value", f"expected {choices}, found")
    return f"{what[:1].lower()}{what[1:]}."


def _choices(hint: Any) -> tuple[str, ...]:
    """The texts that a setting can be one of."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return next(filter(None, map(_choices, get_args(hint))), ())


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _is_list(hint: Any) -> bool:
    return getattr(hint, "__origin__", None) is tuple


def _part(hint: Any) -> type[Part] | None:
    """The table type within a hint such as `FleetConfig | None` or `tuple[ModelConfig, ...]`."""
    kinds = [hint, *get_args(hint)]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Part)), None)
