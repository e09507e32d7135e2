"""Arrays from the files people have; hostile ones are refused before anything is made of them."""

import io
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime import arrays
from edge_runtime.arrays import decode_npy, read_array
from edge_runtime.errors import InputError

WINDOWS = np.arange(48, dtype=np.float32).reshape(6, 4, 2)
LABELS = np.array(["still", "moving"] * 3)


def _npy(array: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    path = tmp_path / "recordings.npz"
    np.savez_compressed(path, windows=WINDOWS, labels=LABELS)
    return path


@pytest.mark.parametrize(
    "array",
    [WINDOWS, np.asfortranarray(WINDOWS), WINDOWS.astype(">i2"), WINDOWS[:0], np.float64(3)],
)
def test_an_npy_file_reads_back_as_it_was_and_is_writable(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    found = read_array(tmp_path / "a.npy")

    assert found.dtype == array.dtype
    assert np.array_equal(found, array)
    assert found.flags.writeable


def test_an_array_of_an_npz_is_chosen_by_key(npz: Path) -> None:
    assert np.array_equal(read_array(f"{npz}:windows"), WINDOWS)
    assert read_array(f"{npz}:labels", kind="labels").tolist() == LABELS.tolist()


def test_an_npz_with_one_array_needs_no_key(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", WINDOWS)

    assert np.array_equal(read_array(tmp_path / "one.npz"), WINDOWS)


@pytest.mark.parametrize("key", ["", ":wrong"])
def test_otherwise_the_names_are_listed(npz: Path, key: str) -> None:
    with pytest.raises(InputError, match=r"found: windows, labels\. Choose one with .*npz:NAME"):
        read_array(f"{npz}{key}")


def test_a_colon_may_be_part_of_a_files_name(tmp_path: Path) -> None:
    np.save(tmp_path / "12:30.npy", WINDOWS)

    assert read_array(tmp_path / "12:30.npy").shape == WINDOWS.shape


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("x,y\n1,2\n3,4", [[1, 2], [3, 4]]),
        ("\ufeff1, 2\r\n3, 4\r\n", [[1, 2], [3, 4]]),
        ("1.5e3\nnan\n", [[1500], [np.nan]]),
    ],
)
def test_numbers_are_read_from_csv(tmp_path: Path, text: str, rows: list[list[float]]) -> None:
    (tmp_path / "rows.csv").write_text(text)
    found = read_array(tmp_path / "rows.csv")

    assert found.dtype == np.float64
    assert np.array_equal(found, rows, equal_nan=True)


@pytest.mark.parametrize(
    ("text", "labels", "kind"),
    [
        ("still\nmoving\n", ["still", "moving"], "U"),
        ('label\n"to, and fro"\nstill\n', ["to, and fro", "still"], "U"),
        ("1\n0\n", [1, 0], "i"),
        ("y\n0.5\n-1\n", [0.5, -1], "f"),
    ],
)
def test_labels_are_read_from_csv(tmp_path: Path, text: str, labels: list[Any], kind: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    found = read_array(tmp_path / "labels.csv", kind="labels")

    assert found.tolist() == labels
    assert found.dtype.kind == kind


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ("1,2\n3,a\n", "inputs", "expected numbers .* commas, found 'a' in line 2, column 2."),
        ("a;b\n1;2\n", "inputs", "found '1;2' in line 2, column 1."),
        ("1,2\n\n3,\n", "inputs", r"found nothing \(nan is a missing number\) in line 3, column 2."),
        ("x,y\n1,2\n3\n", "inputs", "found 1 columns in line 3, and 2 before"),
        ("x,y\n", "inputs", "expected rows, found an empty file"),
        (" \n\n", "inputs", "expected rows, found an empty file"),
        ("label\n", "labels", "expected rows, found an empty file"),
        ("a,b\n", "labels", "expected one label a row, found 2 in row 1"),
        ("a" * 200_000, "labels", "field larger than field limit"),
    ],
)
def test_a_csv_that_does_not_fit_says_where(tmp_path: Path, text: str, kind: Any, told: str) -> None:
    (tmp_path / "rows.csv").write_text(text)

    with pytest.raises(InputError, match=told):
        read_array(tmp_path / "rows.csv", kind=kind)


def test_a_csv_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes("größe\n1\n".encode("utf-16"))

    with pytest.raises(InputError, match="expected text in UTF-8"):
        read_array(tmp_path / "rows.csv")


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "exploded"),)

    np.save(tmp_path / "a.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", a=np.array([Bomb()], dtype=object))

    for name in ("a.npy", "a.npz"):
        with pytest.raises(InputError, match="Objects are never read from a file"):
            read_array(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_text_is_no_input(npz: Path) -> None:
    with pytest.raises(InputError, match="expected numbers, found dtype <U6"):
        read_array(f"{npz}:labels")


def test_labels_are_one_a_row(npz: Path) -> None:
    with pytest.raises(InputError, match=r"expected labels of shape \(rows,\) or .*, found \(6, 4, 2\)"):
        read_array(f"{npz}:windows", kind="labels")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("none.npy", "No such file"),
        ("folder.npy", "Is a directory|it is a folder"),
        ("pipe.npy", "not a regular file"),
        ("model.pkl", r"expected a file that ends in \.npz, \.npy or \.csv"),
        ("a.npy:key", "leave out ':key'"),
        ("text.npy", r"expected a numpy \.npy file"),
        ("text.npz", r"expected a numpy \.npz file"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "folder.npy").mkdir()
    os.mkfifo(tmp_path / "pipe.npy")
    for text in ("text.npy", "text.npz", "model.pkl", "a.npy"):
        (tmp_path / text).write_text("text")

    with pytest.raises(InputError, match=told):
        read_array(tmp_path / name)


def test_a_header_that_claims_more_than_is_there_is_refused_without_memory() -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }\n"
    raw = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(64)

    with pytest.raises(
        InputError, match="expected 4000000000000 bytes of data as its header says, found 64"
    ):
        decode_npy(raw, "a.npy")


def test_a_cut_file_is_refused() -> None:
    with pytest.raises(InputError, match="damaged or cut"):
        decode_npy(_npy(WINDOWS)[:-1], "a.npy")


def test_files_and_members_over_the_limit_are_refused_unread(
    tmp_path: Path, npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "a.npy", WINDOWS)
    monkeypatch.setattr(arrays, "MAX_BYTES", 100)

    for spec in (tmp_path / "a.npy", f"{npz}:windows"):
        with pytest.raises(InputError, match="expected at most"):
            read_array(spec)


def test_a_member_that_unpacks_to_more_than_it_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", _npy(np.zeros(1_000_000)))
    raw = path.read_bytes()
    true, claimed = struct.pack("<I", len(_npy(np.zeros(1_000_000)))), struct.pack("<I", 200)
    path.write_bytes(raw.replace(true, claimed))

    with pytest.raises(InputError):
        read_array(path)


@given(st.binary(max_size=200), st.integers(0, 127))
def test_any_damage_to_an_npy_is_refused_or_still_an_array(junk: bytes, at: int) -> None:
    raw = bytearray(_npy(WINDOWS))
    raw[at : at + len(junk)] = junk
    try:
        found = decode_npy(raw, "a.npy")
    except InputError:
        return
    assert found.nbytes <= len(raw)


@given(st.binary(min_size=1, max_size=8), st.integers(0, 400))
def test_any_damage_to_an_npz_is_refused_or_still_an_array(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int
) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, a=WINDOWS)
    raw = bytearray(buffer.getvalue())
    raw[at : at + len(junk)] = junk
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(raw)
    try:
        assert read_array(path).nbytes < 1 << 20
    except InputError:
        return
