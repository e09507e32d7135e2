"""Which numbers a model looks up: an Embedding raises an error for those beyond its table.

A graph cannot raise, and ONNX Runtime stops at such an index as at a fault of the model. So the range is
found by asking the model, the graph says which rows are outside, and a device refuses these.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from converter.frontends.tensorflow.freezing import Frozen

_LOOKS_UP = {"GatherV2", "Gather", "ResourceGather", "GatherNd"}
_FARTHEST = 2**31 - 1


@dataclass(frozen=True)
class Limits:
    """The whole numbers that the model has an answer for, both ends included."""

    lowest: int
    highest: int

    def told(self) -> str:
        return f"a number outside {self.lowest} to {self.highest}, which the model looks up in a table"

    def split(self, x: Any) -> tuple[Any, Any]:
        """bool (n,), rows with a number outside; and the rows, with one inside in its place.

        Fractions are cut off before they are looked up, and what is missing is nowhere in a table.
        """
        inside = (x > self.lowest - 1) & (x < self.highest + 1)
        outside = ~inside
        while outside.ndim > 1:
            outside = np.any(outside, axis=-1)
        return outside, np.where(inside, x, self.highest).astype(x.dtype)


def limits(frozen: Frozen, takes: Callable[[int], bool], known: int) -> Limits | None:
    """Find them. takes: whether the model has an answer to a number. known: one it should have.

    None where it takes any number, or where the known one alone is too much.
    """
    if not any(node.op in _LOOKS_UP for node in frozen.graph_def.node) or not takes(known):
        return None
    lowest, highest = (_end(takes, known, far) for far in (-_FARTHEST - 1, _FARTHEST))
    return None if highest - lowest > _FARTHEST else Limits(lowest, highest)


def _end(takes: Callable[[int], bool], known: int, far: int) -> int:
    """The last number from `known` towards `far` that is taken."""
    if takes(far):
        return far
    while abs(far - known) > 1:
        middle = (known + far) // 2
        known, far = (middle, far) if takes(middle) else (known, middle)
    return known
