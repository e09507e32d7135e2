"""Inputs of a model that takes several arrays: which array is which input, checked once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.inputs import DTYPES, Rows, as_array, as_numbers
from edge_runtime.bundle.consistency import why_no_name
from edge_runtime.errors import InputError, UnsupportedModelError

_MAX_LISTED = 20
MAX_INPUTS = 128  # each has a file of goldens, and a bundle has at most 256 files


@dataclass(frozen=True)
class Wanted:
    """One input of a model.

    shape: without the batch; a size that may vary is None, and None in its place where the model does
        not say. dtype: the model's own.
    """

    name: str
    shape: tuple[int | None, ...] | None
    dtype: str

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether it takes arrays of `shape`, without the batch."""
        wanted = self.shape
        return wanted is None or (
            len(wanted) == len(shape)
            and all(size in (None, given) for size, given in zip(wanted, shape, strict=True))
        )

    @property
    def shown(self) -> str:
        """The shape for people, batch first, such as (inputs, any, 3)."""
        sizes = ["any" if size is None else str(size) for size in self.shape or ()]
        return f"({', '.join(['inputs', *sizes])})"


def as_named(inputs: Any, wanted: Sequence[Wanted], dtype: str | None) -> Rows:
    """Arrays by the names of the inputs, or in their order, NaN allowed, of equal length.

    Each is declared as the model's own dtype, `dtype` standing for the floating ones. Columns of a
    DataFrame are arrays, too, and one of shape (n,) is also (n, 1). Raises InputError, and
    UnsupportedModelError for inputs that no bundle holds.
    """
    check_wanted(wanted)
    if dtype is not None and dtype not in DTYPES:
        raise InputError(f"input_dtype: expected one of {', '.join(DTYPES)}, found {dtype!r}.")
    found = _found(inputs, [each.name for each in wanted])
    arrays = {each.name: _array(found[each.name], each, dtype) for each in wanted}
    first, count = next((name, len(array)) for name, array in arrays.items())
    for name, array in arrays.items():
        if len(array) != count or not count:
            raise InputError(
                f"inputs: {name!r}: expected {count or 'some'} rows as of {first!r}, found {len(array)}."
            )
    return Rows(arrays)


def check_wanted(wanted: Sequence[Wanted]) -> None:
    """Raises UnsupportedModelError unless each is numbers, with a name that a bundle may hold."""
    if len(wanted) > MAX_INPUTS:
        raise UnsupportedModelError(
            f"model: expected at most {MAX_INPUTS} inputs, found {len(wanted)}. Join columns in front "
            "of it into one array."
        )
    for each in wanted:
        if why := why_no_name(each.name):
            raise UnsupportedModelError(f"model: an input's name {why}. Name its inputs otherwise.")
        if each.dtype == "string":
            raise UnsupportedModelError(
                f"model: input {each.name!r} takes texts, and of several inputs a bundle holds numbers "
                "alone. Make numbers of the texts before the model."
            )


def _found(inputs: Any, names: list[str]) -> Mapping[str, Any]:
    """What was given for each name."""
    if hasattr(inputs, "columns"):
        inputs = {name: np.asarray(inputs[name]) for name in inputs.columns}
    if isinstance(inputs, list | tuple) and len(inputs) == len(names):
        inputs = dict(zip(names, inputs, strict=True))
    told = f"inputs: expected arrays by the names of the model's inputs, {_listed(names)}"
    if not isinstance(inputs, Mapping):
        raise InputError(f"{told}; found {type(inputs).__name__}. Give a dict of them.")
    for name in (*names, *inputs):
        if name not in inputs or name not in names:
            what = "is missing" if name in names else "is none of the model's"
            raise InputError(f"{told}; found {_listed(inputs)}: {name!r} {what}.")
    return inputs


def _listed(names: Iterable[Any]) -> str:
    listed = [repr(name) for name in names]
    more = len(listed) - _MAX_LISTED
    return ", ".join(listed[:_MAX_LISTED]) + (f" and {more} more" if more > 0 else "") or "none"


def _array(given: Any, wanted: Wanted, dtype: str | None) -> NDArray[Any]:
    what = f"inputs: {wanted.name!r}"
    array = as_array(given, what)
    if array.ndim == 1 and wanted.shape in ((1,), (None,)):
        array = array[:, None]
    if array.dtype.kind not in "biuf":
        raise InputError(f"{what}: expected numbers, found dtype {array.dtype}.")
    if not array.ndim or not wanted.fits(array.shape[1:]):
        expected = "one row an input" if wanted.shape is None else f"shape {wanted.shown}"
        raise InputError(f"{what}: expected {expected}, which the model takes; found {array.shape}.")
    own = wanted.dtype if wanted.dtype in DTYPES else "float32"
    is_float = own in ("float32", "float64")
    return as_numbers(array, dtype if dtype is not None and is_float else own, what)
