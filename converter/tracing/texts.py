"""Texts: they can be compared with constants, and nothing else."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from converter.tracing.dispatch import name_of
from converter.tracing.errors import TracingError
from converter.tracing.nodes import look_up
from converter.tracing.tensor import Tensor


def has_texts(operand: Any) -> bool:
    """Whether an operand is an array of texts, or one text."""
    dtype = operand.dtype if hasattr(operand, "dtype") else np.asarray(operand).dtype
    return bool(dtype.kind in "OUS")


def compare_texts(ufunc: Any, inputs: Sequence[Any]) -> Any:
    """`==` and `!=` of texts with constant ones."""
    constants = [item for item in inputs if not isinstance(item, Tensor)]
    if ufunc not in (np.equal, np.not_equal) or len(constants) != 1:
        raise TracingError(
            f"{name_of(ufunc)} of texts: texts can only be compared with constants, by == or !=."
        )
    constant = np.asarray(constants[0], dtype=object)
    keys = sorted({item for item in constant.ravel() if isinstance(item, str)})
    places = {key: place for place, key in enumerate(keys)}
    # What is no text equals none: it gets a place that nothing else has.
    sought = np.array([places.get(item, -2) for item in constant.ravel()], np.int64)
    found = [
        _places(item, keys) if isinstance(item, Tensor) else sought.reshape(constant.shape)
        for item in inputs
    ]
    return ufunc(*found)


def _places(x: Tensor, keys: list[str]) -> Any:
    if x.dtype.kind != "O":
        raise TracingError("numbers are compared with texts, which are never equal.")
    return look_up(x, keys or [""], -1)
