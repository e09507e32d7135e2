"""What the author hands over, checked once: float32 inputs, labels of the same length."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import InputError


def as_rows(inputs: Any, model: Any = None) -> NDArray[np.float32]:
    """Inputs as float32 of shape (inputs, …), NaN allowed. Raises InputError.

    Of a DataFrame the columns must be those that `model` was fitted on, in that order.
    """
    columns = getattr(inputs, "columns", None)
    known = getattr(model, "feature_names_in_", None)
    if columns is not None and known is not None and list(columns) != list(known):
        raise InputError(
            f"inputs: expected the columns of training in their order, {list(known)[:5]}…; "
            f"found {list(columns)[:5]}…."
        )
    try:
        given = np.asarray(inputs)
        with np.errstate(over="ignore"):
            rows: NDArray[np.float32] = np.array(given, dtype=np.float32, order="C")
    except (TypeError, ValueError) as error:
        raise InputError(
            f"inputs: expected an array of numbers, found {type(inputs).__name__}: {error}"
        ) from error
    if rows.ndim < 2 or 0 in rows.shape:
        raise InputError(
            "inputs: expected shape (inputs, features) or (windows, samples, axes), none of them 0; "
            f"found {rows.shape}."
        )
    if np.isinf(rows).any():
        place = tuple(np.argwhere(np.isinf(rows))[0].tolist())
        raise InputError(
            f"inputs: expected numbers within float32 (to 3.4e38); found {given[place]} at {place}."
        )
    return rows


def as_labels(labels: Any, count: int) -> NDArray[Any]:
    """Labels as an array, one (or for regression one row) an input. Raises InputError."""
    given = np.asarray(labels)
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.ndim not in (1, 2) or len(given) != count:
        raise InputError(
            f"labels: expected {count}, one an input; found an array of shape {given.shape}."
        )
    return given


def digest(array: NDArray[Any]) -> str:
    """sha256 of an array: its dtype, its shape and its numbers or texts."""
    if array.dtype.kind not in "biuf":
        array = np.char.encode(array.astype(str), "utf-8")
    found = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode())
    found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
