"""SHA-256 of what a bundle was made of, to notice other data."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.inputs import Rows, with_missing_text


def rows_digest(rows: Rows) -> str:
    """sha256 of the inputs; of one array its digest, of several that of all names and arrays."""
    return digest(rows.given)


def digest(given: NDArray[Any] | Mapping[str, NDArray[Any]]) -> str:
    """sha256 of an array: its dtype, its shape and its numbers or texts; of several by name, of all."""
    if not isinstance(given, Mapping):
        return _digest(given)
    named = [f"{name}\0{_digest(array)}" for name, array in given.items()]
    return hashlib.sha256("\n".join(named).encode()).hexdigest()


def _digest(array: NDArray[Any]) -> str:
    if array.dtype.kind == "O":
        array = with_missing_text(array)
    if array.dtype.kind not in "biuf":
        array = np.char.encode(array.astype(str), "utf-8")
    found = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode())
    found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
