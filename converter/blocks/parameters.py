"""What several blocks ask of their parameters."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from converter.blocks.base import BlockError


def is_whole(value: Any, low: int, high: int) -> bool:
    """Whether it is a whole number, and no bool, from low to high."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and low <= value <= high


def is_number(value: Any) -> bool:
    """Whether it is a finite real number, and no bool."""
    kinds = int | float | np.integer | np.floating
    return isinstance(value, kinds) and not isinstance(value, bool) and bool(np.isfinite(value))


def listed(value: Any) -> list[Any]:
    """The items of a tuple, list, range or array; none of anything else, such as a text or a number."""
    if isinstance(value, np.ndarray):
        return list(value) if value.ndim else []
    return list(value) if isinstance(value, tuple | list | range) else []


def check_choice(what: str, value: Any, allowed: Sequence[str]) -> None:
    """Raises BlockError unless value is one of the words allowed. what: such as `Detrend: trend`."""
    if not (isinstance(value, str) and value in allowed):
        raise BlockError(f"{what}: expected one of {', '.join(allowed)}, found {value!r}.")


def check_names(what: str, value: Any, allowed: Sequence[str]) -> None:
    """Raises BlockError unless value lists one or more of the words allowed, each at most once."""
    names = listed(value)
    if not names or not set(map(str, names)) <= set(allowed) or len(set(names)) < len(names):
        raise BlockError(
            f"{what}: expected each of {', '.join(allowed)} at most once, and one at least; "
            f"found {value!r}."
        )


def check_flag(what: str, value: Any) -> None:
    """Raises BlockError unless value is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise BlockError(f"{what}: expected True or False, found {value!r}.")


def one_each(what: str, value: Any, count: int, of: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """One number for all, or `count` of them, as float64 (count,). Raises BlockError. of: `column`."""
    items = [value] * count if is_number(value) else listed(value)
    if len(items) != count or not all(map(is_number, items)):
        raise BlockError(
            f"{what}: expected a finite number, or {count} of them, one a {of}; found {value!r}."
        )
    return np.array([float(item) for item in items])
