"""Columns side by side that need not share a dtype: what a ColumnTransformer reads and writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from edge_runtime.errors import UnsupportedModelError


@dataclass(frozen=True)
class Table:
    """Blocks of columns, each an array (n, width) of one dtype: numbers, or texts (dtype object).

    names: one a column, where the model's author gave some; else empty.
    """

    blocks: tuple[Any, ...]
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, array: Any) -> "Table":
        """One block; a block (n, width) or a Table."""
        return array if isinstance(array, cls) else cls((array,))

    @property
    def width(self) -> int:
        return sum(int(block.shape[1]) for block in self.blocks)

    @property
    def is_text(self) -> bool:
        """Whether any column holds texts."""
        return any(block.dtype.kind not in "biuf" for block in self.blocks)

    def column(self, index: int) -> Any:
        """One column as an array (n,)."""
        for block in self.blocks:
            if index < block.shape[1]:
                return block[:, index]
            index -= block.shape[1]
        raise IndexError(index)

    def take(self, columns: Sequence[int]) -> "Table":
        """Some columns, in the order asked for; neighbours in one block stay together."""
        where = [(at, inner) for at, block in enumerate(self.blocks) for inner in range(block.shape[1])]
        taken: list[tuple[int, list[int]]] = []
        for index in columns:
            at, inner = where[index]
            if taken and taken[-1][0] == at:
                taken[-1][1].append(inner)
            else:
                taken.append((at, [inner]))
        names = tuple(self.names[index] for index in columns) if self.names else ()
        return Table(tuple(_columns(self.blocks[at], inner) for at, inner in taken), names)

    def matrix(self) -> Any:
        """All columns in one array, of the dtype numpy gives them side by side."""
        if self.is_text and any(block.dtype.kind in "biuf" for block in self.blocks):
            raise UnsupportedModelError(
                "a step that reads one matrix is given texts and numbers side by side: encode the texts "
                "first, as with OneHotEncoder in a ColumnTransformer."
            )
        if len(self.blocks) == 1:
            return self.blocks[0]
        dtype = np.result_type(*(block.dtype for block in self.blocks))
        return np.concatenate([block.astype(dtype) for block in self.blocks], axis=1)


def matrix(x: Any, dtype: DTypeLike | None = None) -> Any:
    """An array or a Table as one array, converted to `dtype` where one is given.

    Raises UnsupportedModelError for texts where numbers are asked for.
    """
    found = x.matrix() if isinstance(x, Table) else x
    if dtype is None or found.dtype == np.dtype(dtype):
        return found
    if found.dtype.kind not in "biuf":
        raise UnsupportedModelError("a step that reads numbers is given texts: encode them first.")
    return found.astype(dtype)


def _columns(block: Any, inner: list[int]) -> Any:
    first, last = inner[0], inner[-1]
    if inner == list(range(first, last + 1)):
        whole = first == 0 and last + 1 == block.shape[1]
        return block if whole else block[:, first : last + 1]
    return block[:, inner]
