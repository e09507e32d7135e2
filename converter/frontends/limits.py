"""Which numbers a model looks up in a table: it raises an error for those beyond.

A graph cannot raise, and ONNX Runtime stops at such an index as at a fault of the model. So the graph
says which rows are outside, and a device refuses these.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np


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
