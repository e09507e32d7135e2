"""Who is told in a few words what a conversion is doing."""

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[str], None]


def silent(_what: str) -> None:
    """Tell nobody."""
