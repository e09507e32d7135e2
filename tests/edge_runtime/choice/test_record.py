"""What was measured is kept in a small file; one that cannot be relied on is as none."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge_runtime.choice import record
from edge_runtime.choice.key import key_of
from edge_runtime.choice.record import Record
from edge_runtime.engine.candidate import Candidate
from edge_runtime.errors import StorageError
from tests.edge_runtime.choice.rows import row
from tests.support.full_disk import files_of_at_most

DIGEST = "ab" * 32


def a_record() -> Record:
    return Record(
        digest=DIGEST,
        key=key_of(board="pi5"),
        rows=(row("int8", 10), row("fp32", 20), row("fp16", why_not="no GPU")),
        chosen=Candidate("int8", "cpu"),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = record.path_of(tmp_path, "tiny", DIGEST)
    record.write(path, a_record())
    return path


def test_what_was_written_is_read_back_and_nothing_lies_beside_it(path: Path) -> None:
    assert path.parts[-3:] == ("choices", "tiny", f"{DIGEST}.json")
    assert record.read(path) == a_record()
    assert os.listdir(path.parent) == [path.name]


def test_it_says_whether_candidates_were_compared_by_time() -> None:
    alone = msgspec.structs.replace(a_record(), rows=(row("fp32"),), chosen=Candidate("fp32", "cpu"))
    assert (a_record().was_measured, alone.was_measured) == (True, False)


def test_a_long_reason_is_cut(tmp_path: Path) -> None:
    path = record.path_of(tmp_path, "tiny", DIGEST)
    rows = (row("int8", 10), row("fp32", why_not="x" * 5000))
    record.write(path, msgspec.structs.replace(a_record(), rows=rows))
    found = record.read(path)
    assert found is not None
    assert len(found.rows[1].why_not) == 500


def _changed(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def spoil(raw: bytes) -> bytes:
        value = json.loads(raw)
        change(value)
        return json.dumps(value).encode()

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw.replace(b"int8", b"\xff\xfe"),
        lambda _: b"[" * 100_000,
        lambda raw: raw[:-2] + b" " * record.MAX_BYTES + b"}",
        _changed(lambda value: value.update(format=2)),
        _changed(lambda value: value.update(digest="cd" * 32)),
        _changed(lambda value: value.update(more="members")),
        _changed(lambda value: value.update(rows=[])),
        _changed(lambda value: value["chosen"].update(variant="nosuch")),
        _changed(lambda value: value["chosen"].update(variant="fp16")),
        _changed(lambda value: value["rows"][0].update(p50_us=-1)),
        _changed(lambda value: value["rows"][0].update(p50_us="10")),
        _changed(lambda value: value["rows"][0].update(p50_us=1e400)),
        _changed(lambda value: value["key"].pop("machine")),
    ],
)
def test_what_is_damaged_hostile_or_of_another_format_is_as_none(
    path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    path.write_bytes(spoil(path.read_bytes()))
    assert record.read(path) is None


def test_none_and_what_is_no_file_are_as_none(path: Path) -> None:
    path.unlink()
    assert record.read(path) is None
    path.mkdir()
    assert record.read(path) is None
    path.rmdir()
    os.mkfifo(path)
    assert record.read(path) is None


def test_a_full_disk_is_told_and_the_record_before_stays(path: Path) -> None:
    other = msgspec.structs.replace(a_record(), chosen=Candidate("fp32", "cpu"))
    with files_of_at_most(100), pytest.raises(StorageError, match="the disk is full"):
        record.write(path, other)
    assert record.read(path) == a_record()
    assert os.listdir(path.parent) == [path.name]
