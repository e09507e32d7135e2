"""What a caller hands to a model of a table becomes its columns, or an InputError.

Columns are found by name, in any order; columns the model does not know are passed over. A table is a
mapping of names to columns, anything like a DataFrame (pandas and polars are, neither is imported), or a
list of records. The rules of one column are those of one array: nothing is guessed.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from edge_runtime.bundle.manifest import Input
from edge_runtime.engine.base import Array
from edge_runtime.engine.inputs import InputCheck, check_equal_rows, is_missing, listed
from edge_runtime.engine.texts import TextCheck
from edge_runtime.errors import InputError


class NumberColumn(InputCheck):
    """A column of numbers or of true and false; None and the like are missing ones."""

    def __init__(self, declared: Input) -> None:
        super().__init__(declared)
        self._subject = f"column {declared.name!r}"

    def _read(self, values: Any) -> Array:
        array = np.asarray(values)
        if array.shape == (0,):  # numpy gives an empty list a dtype of its own choice
            return np.empty(0, self.dtype)
        if array.dtype.kind in "OSU":  # of a list of numbers and texts, numpy makes texts
            return self._numbers(np.asarray(values, dtype=np.object_))
        if array.dtype.kind == "f" and array.ndim == 1 and self.dtype.kind != "f":
            # Of whole numbers and a missing one pandas makes floats: the missing one is the fault.
            for row in np.flatnonzero(np.isnan(array))[:1]:
                raise self._wrong(int(row), f"a missing value ({array[row]})")
        return array

    def _numbers(self, objects: Array) -> Array:
        """Python's numbers as an array. None, NaN and pandas.NA become NaN where it is allowed."""
        self._check_shape(objects.shape)
        missing_fits = self._declared.allow_nan and self.dtype.kind == "f"
        found = objects.tolist()
        for row, value in enumerate(found):
            if not is_missing(value):
                if not isinstance(value, int | float | np.number | np.bool_):
                    raise self._wrong(row, f"{value!r:.60} of type {type(value).__name__}")
            elif missing_fits:
                found[row] = np.nan
            else:
                raise self._wrong(row, f"a missing value ({value})")
        return np.array(found)

    def _wrong(self, row: int, found: str) -> InputError:
        kinds = {"f": "a number", "b": "true or false"}
        wanted = kinds.get(self.dtype.kind, "a whole number")
        return InputError(f"{self._place((row,))}: expected {wanted} ({self.dtype}), found {found}.")

    def _check_shape(self, found: tuple[int, ...]) -> None:
        _check_column(self._subject, found)

    def _place(self, at: tuple[int, ...]) -> str:
        return f"{self._subject}, row {at[0]}"


class TextColumn(TextCheck):
    """A column of texts."""

    def __init__(self, declared: Input) -> None:
        super().__init__(declared)
        self._subject = f"column {declared.name!r}"

    def _check_shape(self, found: tuple[int, ...]) -> None:
        _check_column(self._subject, found)

    def _place(self, at: tuple[int, ...]) -> str:
        return f"{self._subject}, row {at[0]}"


Column = NumberColumn | TextColumn


class TableCheck:
    """The rules of a table, from the manifest's inputs: one of shape (None,) for each column."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self._columns: dict[str, Column] = {
            each.name: TextColumn(each) if each.dtype == "string" else NumberColumn(each)
            for each in inputs
        }

    @property
    def short_way(self) -> InputCheck | None:
        """See `Check.short_way`; the only column of numbers may be given as a plain array."""
        columns = list(self._columns.values())
        return columns[0].short_way if len(columns) == 1 else None

    def feed(self, values: Any) -> dict[str, Array]:
        """See `Check.feed`. A table of one column may be given as that column."""
        take = self._taker(values)
        checked = {name: column.batch(take(name)) for name, column in self._columns.items()}
        check_equal_rows(checked, "column", "as in column")
        return checked

    def _taker(self, values: Any) -> Callable[[str], Any]:
        """How to get a column by its name; raises InputError when one is missing."""
        if isinstance(values, Mapping):
            check_names(self._columns, values)
            return lambda name: values[name]
        if hasattr(values, "columns"):
            check_names(self._columns, values.columns)
            return lambda name: values[name]
        if isinstance(values, list | tuple) and (not values or isinstance(values[0], Mapping)):
            for row, record in enumerate(values):
                if not isinstance(record, Mapping):
                    raise InputError(f"row {row}: expected a mapping as in row 0, found {record!r:.60}.")
                check_names(self._columns, record, f"row {row}")
            return lambda name: [record[name] for record in values]
        if len(self._columns) == 1:
            return lambda _: values
        raise InputError(
            f"table: expected a mapping of column names to columns, a DataFrame or a list of mappings, "
            f"found {_kind(values)}. The columns are {listed(self._columns)}."
        )


def check_names(expected: Iterable[str], found: Collection[Any], subject: str = "table") -> None:
    """Raise the InputError that says which columns are missing; others may be there."""
    if missing := [name for name in expected if name not in found]:
        raise InputError(
            f"{subject}: expected the columns {listed(expected)}, found {listed(found)}: "
            f"{listed(missing)} missing. Name the columns as the model's training data did."
        )


def _check_column(subject: str, found: tuple[int, ...]) -> None:
    if not found:
        raise InputError(
            f"{subject}: expected one value a row, found a single value. For one row give a list of one "
            "mapping: [record]."
        )
    if len(found) != 1:
        raise InputError(f"{subject}: expected one value a row, found an array of shape {found}.")


def _kind(values: Any) -> str:
    shape = getattr(values, "shape", None)
    return f"{type(values).__name__}{'' if shape is None else f' of shape {shape}'}"
