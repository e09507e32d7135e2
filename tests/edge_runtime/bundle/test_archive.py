"""The canonical ZIP: one content has one spelling, and every other spelling is refused."""

import io
import random
import string
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.bundle import archive
from edge_runtime.bundle.archive import Entry, read_index, write_archive
from edge_runtime.errors import ArchiveError

SMALL = {"manifest.json": b'{"a":1}', "variants/fp32/model.onnx": bytes(range(200)), "z": b""}

_component = st.text(string.ascii_lowercase + string.digits + "._-", max_size=12).map(lambda s: "a" + s)
_names = st.lists(_component, min_size=1, max_size=4).map("/".join)


def _no_clash(files: dict[str, bytes]) -> bool:
    return not any(one.startswith(other + "/") for one in files for other in files)


contents = st.dictionaries(_names, st.binary(max_size=300), min_size=1, max_size=5).filter(_no_clash)


def read(raw: bytes) -> dict[str, Entry]:
    return read_index(io.BytesIO(raw))


def payload_bytes(raw: bytes) -> set[int]:
    return {position for e in read(raw).values() for position in range(e.offset, e.offset + e.size)}


@given(contents)
def test_what_is_written_is_read_back(files: dict[str, bytes]) -> None:
    raw = write_archive(files)
    index = read(raw)

    assert list(index) == sorted(files)
    for name, entry in index.items():
        assert raw[entry.offset : entry.offset + entry.size] == files[name]
        assert entry.crc32 == zlib.crc32(files[name])
        assert entry.offset % archive.ALIGNMENT == 0


def test_the_order_in_which_files_are_given_does_not_matter() -> None:
    assert write_archive(SMALL) == write_archive(dict(reversed(SMALL.items())))


def test_the_standard_library_opens_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(write_archive(SMALL))) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in opened.namelist()} == SMALL
        assert {info.compress_type for info in opened.infolist()} == {zipfile.ZIP_STORED}


def test_every_byte_that_is_no_payload_counts() -> None:
    raw = write_archive(SMALL)
    payload = payload_bytes(raw)

    accepted = []
    for position in sorted(set(range(len(raw))) - payload):
        for change in (0x01, 0x80, 0xFF):
            altered = bytearray(raw)
            altered[position] ^= change
            if is_accepted(bytes(altered)):
                accepted.append((position, change))
    assert accepted == []


def test_no_part_of_an_archive_is_an_archive() -> None:
    raw = write_archive(SMALL)

    ends = [*range(0, len(raw), 97), *range(len(raw) - 200, len(raw))]
    assert [end for end in ends if is_accepted(raw[:end])] == []
    assert [start for start in range(1, len(raw), 97) if is_accepted(raw[start:])] == []


@given(contents, st.randoms(use_true_random=False), st.binary(min_size=1, max_size=5000))
def test_nothing_can_be_inserted_or_taken_out(
    files: dict[str, bytes], chance: random.Random, inserted: bytes
) -> None:
    raw = write_archive(files)
    position = chance.randrange(len(raw) + 1)
    length = chance.randrange(1, len(raw))

    assert not is_accepted(raw[:position] + inserted + raw[position:])
    assert not is_accepted(raw[:position] + raw[position + length :]) or position == len(raw)


@given(contents, st.data())
def test_a_changed_byte_is_refused_or_belongs_to_a_payload(
    files: dict[str, bytes], data: st.DataObject
) -> None:
    raw = bytearray(write_archive(files))
    position = data.draw(st.integers(0, len(raw) - 1))
    payload = payload_bytes(bytes(raw))
    raw[position] ^= data.draw(st.integers(1, 255))

    assert is_accepted(bytes(raw)) == (position in payload)


def test_an_archive_inside_an_archive_is_a_payload() -> None:
    inner = write_archive(SMALL)
    outer = write_archive({"a": inner, "b": inner})

    assert list(read(outer)) == ["a", "b"]
    assert not is_accepted(outer[: outer.index(inner) + len(inner)])


@given(st.binary(max_size=2000))
def test_garbage_is_an_archive_error_and_nothing_else(raw: bytes) -> None:
    with pytest.raises(ArchiveError):
        read(raw)


@given(st.binary(max_size=300), st.integers(0, 1 << 16), st.integers(0, 1 << 32), st.integers(0, 300))
def test_garbage_with_a_plausible_end_is_an_archive_error(
    directory: bytes, count: int, crc32: int, padding: int
) -> None:
    count &= 0xFFFF
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(directory), padding, 0)

    with pytest.raises(ArchiveError):
        read(bytes(padding) + directory + end)


@pytest.mark.parametrize(
    "name",
    [
        *("", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "./a", ".hidden", "a/.git"),
        *("A", "É", "a b", "a\\b", "a:b", "c:/a", "a\0", "a\n", "-a", "x" * 97, "a/b/c/d/e/f/g"),
    ],
)
def test_names_that_could_surprise_anybody_are_refused(name: str) -> None:
    with pytest.raises(ArchiveError, match="expected"):
        write_archive({name: b""})


@pytest.mark.parametrize("name", ["a", "0", "a/b/c/d/e/f", "signatures/" + "f" * 64 + ".sig", "x" * 96])
def test_ordinary_names_are_taken(name: str) -> None:
    assert list(read(write_archive({name: b"x"}))) == [name]


def test_names_that_are_not_sorted_or_come_twice_are_refused() -> None:
    raw = write_archive({"aaaa": b"", "bbbb": b""})

    for name, other in ((b"aaaa", b"cccc"), (b"bbbb", b"aaaa")):
        with pytest.raises(ArchiveError, match="names sorted and used once"):
            read(raw.replace(name, other))


def test_a_name_cannot_be_a_file_and_a_folder() -> None:
    with pytest.raises(ArchiveError, match="a file or a folder called 'a', found both"):
        write_archive({"a": b"", "a-b": b"", "a/b": b""})


def test_an_archive_holds_one_to_256_entries() -> None:
    most = {f"f{number:03}": b"" for number in range(archive.MAX_ENTRIES)}

    assert len(read(write_archive(most))) == 256
    with pytest.raises(ArchiveError, match="1 to 256 entries, found 257"):
        write_archive(most | {"one-more": b""})
    with pytest.raises(ArchiveError, match="1 to 256 entries, found 0"):
        write_archive({})


def test_an_archive_of_more_than_2_gib_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.edge"
    with path.open("wb") as file:
        file.truncate(archive.MAX_ARCHIVE_BYTES + 1)
    with path.open("rb") as file, pytest.raises(ArchiveError, match="expected a size of"):
        read_index(file)


def test_sizes_that_add_up_to_more_than_2_gib_are_refused() -> None:
    names = ("a", "b", "c")
    member = struct.Struct("<4s6H3I5H2I")
    directory = b"".join(
        member.pack(b"PK\1\2", 788, 20, 0, 0, 0, 33, 0, 0xFFFFFFFF, 0xFFFFFFFF, 1, 0, 0, 0, 0, 0, 0)
        + name.encode()
        for name in names
    )
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 3, 3, len(directory), 0, 0)

    with pytest.raises(ArchiveError, match="at most 2147483647 bytes in all"):
        read(directory + end)


def test_an_archive_another_tool_made_is_refused(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as writing:
        for name, data in SMALL.items():
            writing.writestr(name, data)

    with pytest.raises(ArchiveError):
        read(made.getvalue())


def test_unpacking_needs_only_an_ordinary_tool(tmp_path: Path) -> None:
    (tmp_path / "a.edge").write_bytes(write_archive(SMALL))
    subprocess.run(["python3", "-m", "zipfile", "-e", "a.edge", "out"], cwd=tmp_path, check=True)

    assert {name: (tmp_path / "out" / name).read_bytes() for name in SMALL} == SMALL


def is_accepted(raw: bytes) -> bool:
    try:
        read(raw)
    except ArchiveError:
        return False
    return True
