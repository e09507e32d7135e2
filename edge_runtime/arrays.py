"""Arrays from files that people have: .npz, .npy and .csv, read with bounds and never with pickle."""

import csv
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from edge_runtime.bundle.files import open_regular
from edge_runtime.errors import InputError

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

Array = npt.NDArray[Any]
Kind = Literal["inputs", "labels", "texts"]

MAX_BYTES = 1 << 30
_MAX_MEMBERS = 1000
_NPY_HEADER_BYTES = 1 << 16
_LABEL_TITLES = {"label", "labels", "class", "target", "y"}
_INTEGER = re.compile(r"[+-]?\d{1,18}\Z")


def read_array(spec: str | os.PathLike[str], *, kind: Kind = "inputs") -> Array:
    """The array in a file.

    Args:
        spec: a path ending in .npz, .npy or .csv. For an .npz with several arrays, `file.npz:key`.
        kind: `inputs` must be numbers. `labels` are one a row or several, numbers or text; of a
            .csv, the only column. `texts` must be text, and no .csv.

    Returns:
        From .npz and .npy the array as it was stored, writable. From .csv, inputs as float64 of shape
        (rows, columns), a first line of column titles being skipped; labels of shape (rows,) as int64
        where all are whole numbers, float64 where all are numbers, else str; a first line that says
        `label`, `labels`, `class`, `target` or `y` is skipped.

    Raises:
        InputError: the file cannot be read, is over 1 GiB, is not of its kind, or holds objects.
    """
    path, key = _split(os.fspath(spec))
    readers: dict[str, Callable[[BinaryIO], Array]] = {
        ".npz": lambda file: _read_npz(file, path, key),
        ".npy": lambda file: decode_npy(_read(file, path), str(path)),
        ".csv": lambda file: _read_csv(file, path, kind),
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: expected a file that ends in .npz, .npy or .csv.")
    if key is not None and path.suffix.lower() != ".npz":
        raise InputError(f"{path}: only an .npz has several arrays; leave out ':{key}'.")
    with _opened(path) as file:
        array = reader(file)
    if kind == "texts" and array.dtype.kind != "U":
        raise InputError(f"{path}: expected texts in an .npy or .npz file, found dtype {array.dtype}.")
    if kind == "inputs" and array.dtype.kind not in "biuf":
        raise InputError(f"{path}: expected numbers, found dtype {array.dtype}.")
    if kind == "labels" and array.ndim not in (1, 2):
        raise InputError(
            f"{path}: expected labels of shape (rows,) or (rows, labels), found {array.shape}."
        )
    return array


def decode_npy(raw: bytes | bytearray, subject: str) -> Array:
    """The array in the bytes of an .npy file, without a copy: writable if `raw` is a bytearray.

    The header's size is compared with the bytes there before anything is made of it. Raises InputError.
    """
    header = io.BytesIO(bytes(raw[:_NPY_HEADER_BYTES]))
    try:
        version = np.lib.format.read_magic(header)
        # Version 3 differs only for records whose field names are no Latin-1; those are refused anyway.
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, fortran, dtype = read[version](header)
    except Exception as error:  # numpy evaluates the header as Python; what that raises is in no list
        raise InputError(f"{subject}: expected a numpy .npy file, found something else.") from error
    if dtype.hasobject or dtype.kind not in "biufSU" or not dtype.itemsize:
        why = " Objects are never read from a file, as they can run code." if dtype.hasobject else ""
        raise InputError(
            f"{subject}: expected numbers or text, found dtype {dtype}.{why} Save a plain array, with "
            "astype(float) or astype(str)."
        )
    count = 1
    for size in shape:
        count *= size
    offset = header.tell()
    if len(raw) - offset != count * dtype.itemsize:
        raise InputError(
            f"{subject}: expected {count * dtype.itemsize} bytes of data as its header says, found "
            f"{len(raw) - offset}. The file is damaged or cut: make it again."
        )
    flat: Array = np.frombuffer(raw, dtype, count, offset)
    return flat.reshape(shape, order="F" if fortran else "C")


def read_members(path: Path, choose: Callable[[list[str]], Sequence[str]]) -> dict[str, Array]:
    """The arrays of an .npz file that `choose` names, given the names there are.

    Raises InputError as `read_array` does, also when they are over 1 GiB together.
    """
    with _opened(path) as file:
        found = _unpacked(file, path, choose)
    return {name: decode_npy(raw, f"{path}:{name}") for name, raw in found.items()}


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, with or without a byte order mark. Raises InputError."""
    with _opened(path) as file:
        return _text(file, path)


def _split(spec: str) -> tuple[Path, str | None]:
    """`file.npz:key` as path and key; a colon may also be part of a file's name."""
    head, colon, key = spec.rpartition(":")
    if colon and head.lower().endswith((".npz", ".npy", ".csv")) and not os.path.exists(spec):
        return Path(head), key
    return Path(spec), None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file, open for reading. Raises InputError."""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            yield file
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}.") from error


def _read(file: BinaryIO, path: Path) -> bytearray:
    size = os.fstat(file.fileno()).st_size
    _check_size(str(path), size)
    raw = bytearray(size)
    if file.readinto(raw) != size:  # type: ignore[attr-defined]  # a buffered reader; BinaryIO lacks it
        raise InputError(f"{path}: it became shorter while it was read.")
    return raw


def _check_size(subject: str, size: int) -> None:
    if size > MAX_BYTES:
        raise InputError(
            f"{subject}: expected at most {MAX_BYTES >> 20} MiB, found {size >> 20}. Split it."
        )


def _read_npz(file: BinaryIO, path: Path, key: str | None) -> Array:
    ((name, raw),) = _unpacked(file, path, lambda names: [_chosen(names, path, key)]).items()
    return decode_npy(raw, f"{path}:{name}")


def _unpacked(
    file: BinaryIO, path: Path, choose: Callable[[list[str]], Sequence[str]]
) -> dict[str, bytearray]:
    """The bytes of an .npz file's chosen members, by their names without .npy."""
    from zipfile import ZipFile  # not for a model's start, which reads .npy only

    try:
        with ZipFile(file) as archive:
            infos = archive.infolist()[:_MAX_MEMBERS]
            members = {info.filename.removesuffix(".npy"): info for info in infos}
            chosen = {name: members[name] for name in choose(list(members))}
            _check_size(str(path), sum(info.file_size for info in chosen.values()))
            return {name: _unpack(archive, info) for name, info in chosen.items()}
    except InputError:
        raise
    except Exception as error:  # zipfile lets through what its decompressors raise
        raise InputError(
            f"{path}: expected a numpy .npz file, found something else or a damaged one."
        ) from error


def _unpack(archive: "ZipFile", info: "ZipInfo") -> bytearray:
    with archive.open(info) as member:
        return bytearray(member.read(info.file_size))


def _chosen(names: list[str], path: Path, key: str | None) -> str:
    if key is None and len(names) == 1:
        return names[0]
    if key in names:
        return str(key)
    listed = ", ".join(names[:20]) or "none"
    asked = "one array" if key is None else f"an array {key!r}"
    raise InputError(f"{path}: expected {asked}, found: {listed}. Choose one with {path}:NAME.")


def _read_csv(file: BinaryIO, path: Path, kind: Kind) -> Array:
    text = _text(file, path)
    array = _csv_labels(text, path) if kind == "labels" else _csv_numbers(text, path)
    if not len(array):
        raise InputError(f"{path}: expected rows, found an empty file.")
    return array


def _text(file: BinaryIO, path: Path) -> str:
    try:
        return _read(file, path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected text in UTF-8, found other bytes.") from error


def _csv_numbers(text: str, path: Path) -> Array:
    first, _, others = text.partition("\n")
    rows = text if _is_numbers(first) else others
    if not rows.strip():
        return np.empty((0, 0))
    try:
        return np.loadtxt(io.StringIO(rows), delimiter=",", ndmin=2, comments=None, dtype=np.float64)
    except ValueError as error:
        found = _csv_fault(text, len(text.splitlines()) - len(rows.splitlines())) or str(error)
        raise InputError(f"{path}: expected numbers separated by commas, found {found}.") from error


def _csv_fault(text: str, titles: int) -> str:
    """The first cell that is no number, or the first line of another length; both counted from 1."""
    width = 0
    for number, line in enumerate(text.splitlines(), 1):
        cells = line.split(",")
        if number <= titles or not line.strip():
            continue
        if width and len(cells) != width:
            return f"{len(cells)} columns in line {number}, and {width} before"
        width = len(cells)
        for column, cell in enumerate(cells, 1):
            if not _is_numbers(cell):
                what = repr(cell[:40]) if cell.strip() else "nothing (nan is a missing number)"
                return f"{what} in line {number}, column {column}"
    return ""


def _is_numbers(line: str) -> bool:
    try:
        [float(cell) for cell in line.split(",")]
    except ValueError:
        return False
    return True


def _csv_labels(text: str, path: Path) -> Array:
    try:
        rows = [row for row in csv.reader(io.StringIO(text)) if row]
    except csv.Error as error:
        raise InputError(f"{path}: expected comma-separated text: {error}.") from error
    if wide := next((number for number, row in enumerate(rows, 1) if len(row) != 1), 0):
        raise InputError(f"{path}: expected one label a row, found {len(rows[wide - 1])} in row {wide}.")
    labels = [row[0].strip() for row in rows]
    if labels and labels[0].lower() in _LABEL_TITLES:
        del labels[0]
    if all(_INTEGER.match(label) for label in labels):
        return np.array(labels, np.int64)
    if all(_is_numbers(label) for label in labels):
        return np.array(labels, np.float64)
    return np.array(labels, np.str_)
