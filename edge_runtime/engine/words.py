"""Foreign words in sentences of ours."""

from collections.abc import Mapping
from typing import Any

_MAX_TOLD = 300


def one_line(text: str) -> str:
    """Foreign words on one line of bounded length."""
    text = " ".join(text.split())
    return text if len(text) <= _MAX_TOLD else f"{text[:_MAX_TOLD]}..."


def together(found: Mapping[Any, object]) -> str:
    """Why each of several cannot be used, as one sentence without its end; one reason of many, once."""
    named: dict[str, list[str]] = {}
    for name, why in found.items():
        named.setdefault(str(why).rstrip("."), []).append(str(name))
    return "; ".join(f"{', '.join(names)}: {why}" for why, names in named.items())
