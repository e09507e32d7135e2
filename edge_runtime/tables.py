"""Tables and arrays by name from files that people have: .csv with a line of titles, or .npz.

The columns a model declares say how a cell is read; nothing is guessed from what cells look like.
"""

import csv
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.arrays import Array, Kind, read_array, read_members, read_text
from edge_runtime.bundle.manifest import Input, Manifest
from edge_runtime.engine.inputs import listed
from edge_runtime.engine.table import check_names
from edge_runtime.errors import InputError

# As JSON writes one, and a few ways more: Python's own float() also takes 1_000 and Arabic digits.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?\Z")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}\Z")
_TRUTH = {"true": True, "false": False, "1": True, "0": False}


def read_inputs(spec: str, manifest: Manifest) -> Any:
    """What this model can be called on, from a file: a table, an array as `read_array` reads it, or of a
    model of several inputs the arrays of an .npz that have their names. Raises InputError."""
    if manifest.is_table:
        return read_table(spec, manifest.inputs)
    if len(manifest.inputs) > 1:
        return read_arrays(spec, [each.name for each in manifest.inputs])
    return read_array(spec, kind=_kind(manifest.inputs[0]))


def read_arrays(path: str | os.PathLike[str], names: Sequence[str]) -> dict[str, Array]:
    """The arrays of an .npz that have these names; others are passed over. Raises InputError."""
    file = Path(path)
    arrays = ", ".join(map(repr, names))
    wanted = f"{file}: expected an .npz with the arrays {arrays}, one an input, found"
    advice = "Save them with numpy.savez(file, **arrays)."

    def chosen(found: list[str]) -> Sequence[str]:
        if missing := [name for name in names if name not in found]:
            raise InputError(f"{wanted} {listed(found)}: {missing[0]!r} is missing. {advice}")
        return names

    if file.suffix.lower() != ".npz":
        raise InputError(f"{wanted} {file.suffix or 'no suffix'}. {advice}")
    return read_members(file, chosen)


def read_table(path: str | os.PathLike[str], columns: Sequence[Input]) -> Any:
    """What a model of these columns can be called on, from a file.

    Of a .csv (RFC 4180, UTF-8, comma, first line the titles) an empty cell is a missing value; blank
    lines are skipped. An .npz has one array for each column, under its name. A model of a single column
    also takes what `read_array` reads. Other columns are passed over.

    Raises InputError, which names line and column of a cell that cannot be read.
    """
    file = Path(path)
    if file.suffix.lower() == ".csv":
        return _read_csv(file, columns)
    if file.suffix.lower() == ".npz":
        return read_members(file, lambda found: _named(columns, found, file))
    if len(columns) == 1:
        return read_array(path, kind=_kind(columns[0]))
    raise InputError(f"{file}: expected a table: a .csv with a line of titles, or an .npz of columns.")


def _kind(declared: Input) -> Kind:
    return "texts" if declared.dtype == "string" else "inputs"


def _read_csv(path: Path, columns: Sequence[Input]) -> dict[str, Array]:
    lines = _records(read_text(path), path)
    _, titles = next(lines, (1, []))
    places = [titles.index(name) for name in _named(columns, titles, path)]
    readers = [_reader(column) for column in columns]
    cells: list[list[Any]] = [[] for _ in columns]
    for line, record in lines:
        if len(record) != len(titles):
            raise InputError(
                f"{path}, line {line}: expected {len(titles)} cells as in the first line, found "
                f"{len(record)}."
            )
        for column, place, read, into in zip(columns, places, readers, cells, strict=True):
            try:
                into.append(read(record[place]))
            except ValueError as error:
                raise InputError(
                    f"{path}, line {line}, column {column.name!r}: expected {error}, found "
                    f"{record[place]!r:.60}."
                ) from None
    return {
        column.name: np.array(into, _DTYPES.get(column.dtype, np.int64))
        for column, into in zip(columns, cells, strict=True)
    }


def _named(columns: Sequence[Input], found: Sequence[str], path: Path) -> list[str]:
    """The columns' names, each of which was found once. Raises InputError."""
    names = [column.name for column in columns]
    check_names(names, found, str(path))
    if several := [name for name in names if found.count(name) > 1]:
        raise InputError(f"{path}: expected one column {several[0]!r}, found {found.count(several[0])}.")
    return names


def _records(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """(number of its first line, cells) of each record that is not a blank line."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for record in reader:
            if record:
                yield line, record
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}, line {line}: expected comma-separated text: {error}.") from error


_DTYPES: dict[str, Any] = {
    "float32": np.float64,  # the model's own check rounds, and knows what is out of range
    "float64": np.float64,
    "bool": np.bool_,
    "string": np.object_,
}


def _reader(column: Input) -> Callable[[str], Any]:
    """How a cell of this column is read; it raises ValueError with what it expected."""
    readers: dict[str, tuple[Callable[[str], Any], str, Any]] = {
        "float32": (_float, "a number", np.nan),
        "float64": (_float, "a number", np.nan),
        "bool": (_truth, "true or false", None),
        "string": (str, "a text", None),
    }
    read, expected, missing = readers.get(column.dtype, (_whole, "a whole number", None))
    takes_missing = column.allow_nan and column.dtype in ("float32", "float64", "string")

    def cell(text: str) -> Any:
        if not text:
            if takes_missing:
                return missing
            raise ValueError(f"{expected} (the model knows no missing ones here)")
        try:
            return read(text)
        except (ValueError, KeyError):
            raise ValueError(expected) from None

    return cell


def _float(text: str) -> float:
    if not _NUMBER.match(text.strip()):
        raise ValueError
    return float(text)


def _whole(text: str) -> int:
    if not _WHOLE.match(text.strip()):
        raise ValueError
    return int(text)


def _truth(text: str) -> bool:
    return _TRUTH[text.strip().lower()]
