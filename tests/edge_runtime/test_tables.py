"""Tables from files: cells are read as the model's columns say, and a wrong one is told by its place."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.bundle.manifest import Dtype, Input
from edge_runtime.errors import InputError
from edge_runtime.tables import read_arrays, read_table


def column(name: str, dtype: Dtype, *, allow_nan: bool = False) -> Input:
    return Input(name=name, dtype=dtype, shape=(None,), allow_nan=allow_nan)


COLUMNS = (
    column("age", "float32", allow_nan=True),
    column("visits", "uint8"),
    column("member", "bool"),
    column("home town", "string", allow_nan=True),
)
TITLES = "home town,age,member,visits,unknown\n"
STRICT = (column("age", "float64"), column("town", "string"))


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "persons.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def listed(table: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: values.tolist() for name, values in table.items()}


def test_columns_are_found_by_title_and_empty_cells_are_missing(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        TITLES
        + '"Ulm, ""old"" town",30.5,true,0,x\r\n\r\n'
        + ",,FALSE, 12 ,\n"
        + '"two\nlines",-1e-3,1,255,\n',
    )
    table = read_table(path, COLUMNS)

    assert list(table) == ["age", "visits", "member", "home town"]
    np.testing.assert_array_equal(table.pop("age"), [30.5, np.nan, -1e-3])
    assert listed(table) == {
        "visits": [0, 12, 255],
        "member": [True, False, True],
        "home town": ['Ulm, "old" town', None, "two\nlines"],
    }


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_is_no_part_of_the_first_title(tmp_path: Path, start: bytes) -> None:
    path = written(tmp_path, start + b"age,town\n1,Z\xc3\xbcrich\n")

    assert listed(read_table(path, STRICT)) == {"age": [1.0], "town": ["Zürich"]}


def test_a_table_of_titles_alone_has_no_rows(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, TITLES), COLUMNS)

    assert [values.dtype for values in table.values()] == [np.float64, np.int64, np.bool_, np.object_]
    assert [len(values) for values in table.values()] == [0] * 4


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            "1,a\n,b\n",
            r"line 3, column 'age': expected a number \(the model knows no missing .* found ''",
        ),
        ("1,a\n2,\n", r"line 3, column 'town': expected a text \(the model knows no missing"),
        ("x,a\n", "line 2, column 'age': expected a number, found 'x'"),
        ("1_000,a\n", "line 2, column 'age': expected a number, found '1_000'"),
        ("nan,a\n", "line 2, column 'age': expected a number, found 'nan'"),
        ("inf,a\n", "line 2, column 'age': expected a number, found 'inf'"),
        ("٣,a\n", "line 2, column 'age': expected a number"),
        ('1,"a\nb"\n2,"c\n', "line 4: expected comma-separated text: unexpected end of data"),
        ('1,"a\nb"\nx,c\n', "line 4, column 'age': expected a number, found 'x'"),
        ("1,a,b\n", "line 2: expected 2 cells as in the first line, found 3"),
        ("1,a\n2\n", "line 3: expected 2 cells as in the first line, found 1"),
        ("1," + "a" * 200_000 + "\n", "line 2: expected comma-separated text: field larger"),
    ],
)
def test_a_cell_that_cannot_be_read_is_told_by_line_and_column(
    tmp_path: Path, rows: str, told: str
) -> None:
    with pytest.raises(InputError, match=rf"persons\.csv, {told}"):
        read_table(written(tmp_path, "age,town\n" + rows), STRICT)


@pytest.mark.parametrize(
    ("cell", "dtype", "told"),
    [
        ("3.0", "int64", "expected a whole number, found '3.0'"),
        ("", "int32", r"expected a whole number \(the model knows no missing ones here\), found ''"),
        ("9" * 19, "int64", "expected a whole number, found '9999999999999999999'"),
        ("yes", "bool", "expected true or false, found 'yes'"),
        ("", "bool", "expected true or false .* found ''"),
    ],
)
def test_a_cell_is_what_its_column_says(tmp_path: Path, cell: str, dtype: Dtype, told: str) -> None:
    with pytest.raises(InputError, match=rf"line 2, column 'x': {told}"):
        read_table(written(tmp_path, f"x,y\n{cell},1\n"), [column("x", dtype, allow_nan=True)])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", r"persons\.csv: expected the columns 'age', 'town', found none"),
        (
            "age,city\n1,a\n",
            r"persons\.csv: expected the columns .* found 'age', 'city': 'town' missing",
        ),
        ("30,Ulm\n31,Bern\n", "found '30', 'Ulm': 'age', 'town' missing"),
        ("age,town,age\n1,a,2\n", r"persons\.csv: expected one column 'age', found 2"),
        (b"age,town\n1,\xff\n", "expected text in UTF-8"),
    ],
)
def test_titles_are_the_columns_names(tmp_path: Path, text: str | bytes, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_table(written(tmp_path, text), STRICT)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1)


@given(st.lists(st.tuples(st.floats(allow_nan=False, allow_infinity=False), TEXT)))
def test_what_was_written_by_the_rules_reads_back(
    tmp_path_factory: pytest.TempPathFactory, rows: Sequence[tuple[float, str]]
) -> None:
    quoted = [f'{number!r},"{text.replace(chr(34), chr(34) * 2)}"\r\n' for number, text in rows]
    path = written(tmp_path_factory.getbasetemp(), "age,town\r\n" + "".join(quoted))
    table = read_table(path, STRICT)

    assert table["age"].tolist() == [number for number, _ in rows]
    assert table["town"].tolist() == [text for _, text in rows]


@given(st.binary(max_size=60))
def test_any_bytes_are_a_table_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = written(tmp_path_factory.getbasetemp(), b"age,town\n" + raw)
    try:
        table = read_table(path, STRICT)
    except InputError:
        return
    assert len(table["age"]) == len(table["town"])


def test_an_npz_has_an_array_a_column(tmp_path: Path) -> None:
    path = tmp_path / "persons.npz"
    np.savez(path, town=np.array(["a", "b"]), age=np.array([1.0, 2.0]), more=np.ones(9))

    assert listed(read_table(path, STRICT)) == {"age": [1.0, 2.0], "town": ["a", "b"]}
    np.savez(path, age=np.ones(2))
    with pytest.raises(
        InputError, match=r"persons\.npz: expected the columns .* found 'age': 'town' mi"
    ):
        read_table(path, STRICT)
    path.write_bytes(b"PK\3\4" + bytes(50))
    with pytest.raises(InputError, match=r"expected a numpy \.npz file"):
        read_table(path, STRICT)


def test_an_npz_with_objects_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "persons.npz"
    np.savez(path, age=np.ones(1), town=np.array(["a"], np.object_))

    with pytest.raises(InputError, match="Objects are never read from a file"):
        read_table(path, STRICT)


def test_columns_over_the_limit_together_are_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "persons.npz"
    np.savez(path, age=np.ones(10), town=np.array(["a"] * 10))
    monkeypatch.setattr("edge_runtime.arrays.MAX_BYTES", 300)

    with pytest.raises(InputError, match="expected at most"):
        read_table(path, STRICT)
    assert read_table(path, STRICT[:1])["age"].tolist() == [1] * 10


def test_a_single_column_may_be_a_file_of_its_own(tmp_path: Path) -> None:
    for values, dtype in ((np.array(["a", "b"]), "string"), (np.array([1.5, 2]), "float64")):
        buffer = io.BytesIO()
        np.save(buffer, values)
        (tmp_path / "x.npy").write_bytes(buffer.getvalue())
        assert read_table(tmp_path / "x.npy", [column("x", dtype)]).tolist() == values.tolist()
    with pytest.raises(
        InputError, match=r"expected texts in an \.npy or \.npz file, found dtype float64"
    ):
        read_table(tmp_path / "x.npy", [column("x", "string")])
    with pytest.raises(
        InputError, match=r"expected a table: a \.csv with a line of titles, or an \.npz"
    ):
        read_table(tmp_path / "x.npy", STRICT)


def test_arrays_by_name_are_read_as_they_were_stored(tmp_path: Path) -> None:
    image = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    np.savez(tmp_path / "a.npz", image=image, place=[1.5], other=["x"])
    found = read_arrays(tmp_path / "a.npz", ["place", "image"])

    assert list(found) == ["place", "image"]
    assert np.array_equal(found["image"], image)
    assert found["image"].dtype == np.uint8
    with pytest.raises(
        InputError, match="'image', 'map', one an input, found 'image', 'place', 'other'"
    ):
        read_arrays(tmp_path / "a.npz", ["image", "map"])
    with pytest.raises(InputError, match=r"an \.npz with the arrays 'image', one an input, found \.csv"):
        read_arrays(tmp_path / "a.csv", ["image"])
