"""How many inputs a model is asked about at once: of large ones, few."""

from collections.abc import Iterable
from typing import Any

from numpy.typing import NDArray

# A network of images keeps many times its input while it runs.
_BYTES = 4 << 20


def at_once(arrays: Iterable[NDArray[Any]], most: int) -> int:
    """At most `most` rows, at least one, and no more than take 4 MB."""
    row_bytes = sum(array[:1].nbytes for array in arrays)
    return max(1, min(most, _BYTES // max(1, row_bytes)))
