"""The ring's file outlives a killed process, and nothing else."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import StorageError
from edge_runtime.stream import journal
from edge_runtime.stream.journal import Rows, SampleRing, memory_ring, open_ring

CAPACITY = 32


def rows(first: int, count: int) -> Rows:
    return np.array([[n, -n] for n in range(first, first + count)], np.float32).reshape(count, 2)


def times(count: int) -> journal.Times:
    return np.zeros(count)


def reopen(path: Path, geometry: str = "g") -> SampleRing:
    return open_ring(path, CAPACITY, 2, geometry)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journals" / "motion.ring"


@given(st.lists(st.integers(0, CAPACITY // 4), max_size=20))
def test_the_newest_samples_are_there_whatever_the_chunks(chunks: list[int]) -> None:
    ring = memory_ring(CAPACITY, 2)
    for count in chunks:
        ring.append(rows(ring.count, count), times(count))
    kept = ring.copy(ring.oldest, ring.count)
    assert kept.tolist() == rows(ring.oldest, ring.count - ring.oldest).tolist()


def test_a_reopened_ring_goes_on_where_it_was(path: Path) -> None:
    ring = reopen(path)
    ring.begin_run("walk", 5, 0, named=True, numbered=True)
    ring.append(rows(0, 8), times(8))
    ring.tally("taken", 10)
    name, runs, counters = ring.id, ring.runs(), ring.counters()
    ring.close()
    again = reopen(path)
    assert (again.id, again.runs(), again.counters()) == (name, runs, counters)
    assert again.copy(0, 8).tolist() == rows(0, 8).tolist()
    again.close()


def test_another_geometry_begins_anew(path: Path) -> None:
    ring = reopen(path, "length 4")
    ring.append(rows(0, 8), times(8))
    before = ring.id
    ring.close()
    again = reopen(path, "length 8")
    assert (again.count, again.id == before) == (0, False)
    again.close()


def test_another_boot_begins_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = reopen(path)
    ring.append(rows(0, 8), times(8))
    ring.close()
    monkeypatch.setattr(journal, "boot_id", lambda: "another")
    again = reopen(path)
    assert again.count == 0
    again.close()


@pytest.mark.parametrize("damage", [b"x" * 100, b"x" * 8000, "shorter", "counts"])
def test_a_damaged_file_begins_anew_and_is_told(path: Path, damage: bytes | str) -> None:
    told: list[str] = []
    reopen(path).close()
    whole = path.read_bytes()
    if damage == "shorter":
        damage = whole[:-1]
    elif damage == "counts":
        damage = whole[:128] + b"\xff" * 100 + whole[228:]
    assert isinstance(damage, bytes)
    path.write_bytes(damage)
    ring = open_ring(path, CAPACITY, 2, "g", on_broken=told.append)
    assert ring.count == 0
    assert told == ["motion.ring was broken: samples that were not predicted yet are lost"]
    ring.close()


@pytest.mark.parametrize("begun", [b"", bytes(8000)])
def test_one_that_was_never_begun_is_not_told_to_be_broken(path: Path, begun: bytes) -> None:
    told: list[str] = []
    path.parent.mkdir()
    path.write_bytes(begun)
    open_ring(path, CAPACITY, 2, "g", on_broken=told.append).close()
    open_ring(path, CAPACITY, 2, "other", on_broken=told.append).close()
    assert told == []


def test_one_process_at_a_time(path: Path) -> None:
    ring = reopen(path)
    with pytest.raises(StorageError, match="another process uses this journal"):
        reopen(path)
    ring.close()
    reopen(path).close()


def test_a_file_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be opened"):
        reopen(tmp_path / "file" / "motion.ring")
    with pytest.raises(StorageError, match=r"no \d+ bytes for the journal"):
        open_ring(tmp_path / "huge.ring", 1 << 58, 2, "g")


def test_a_kill_between_a_run_and_its_start_is_mended(path: Path) -> None:
    ring = reopen(path)
    ring.begin_run("a", 0, 0, named=True, numbered=True)
    ring.append(rows(0, 4), times(4))
    ring.begin_run("a", 9, 9, named=True, numbered=True)
    ring.settle(4)  # as if the last store of begin_run had not happened
    ring.close()
    again = reopen(path)
    assert again.count == 9
    assert [(run.start, run.end) for run in again.runs()] == [(0, 4), (9, 9)]
    again.close()


WRITER = """
import math, sys
import numpy as np
from pathlib import Path
from edge_runtime.stream.decode import Block
from edge_runtime.stream.journal import open_ring
from edge_runtime.stream.order import Order
ring = open_ring(Path(sys.argv[1]), 32, 2, "g")
order = Order(ring)
run = ring.last_run()
seq = run.seq + ring.count - run.start if run else 0
print("writing", flush=True)
while True:
    for n in (seq, seq + 2, seq + 1):
        order.take(Block("s", n, np.array([[n, -n]], np.float32), np.zeros(1)))
    seq += 3
"""


def test_a_ring_killed_in_mid_write_holds_only_whole_samples(path: Path) -> None:
    counts = []
    for _ in range(4):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        wait_for_more(path, counts[-1] if counts else 0)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        ring = reopen(path)
        kept = ring.copy(ring.oldest, ring.count)
        assert kept.tolist() == rows(ring.oldest, ring.count - ring.oldest).tolist()
        assert [run.seq for run in ring.runs()] == [0]
        counts.append(ring.count)
        ring.close()
    assert counts == sorted(set(counts))


def wait_for_more(path: Path, than: int) -> None:
    """Wait until the writer's counter, which it maps too, has moved on."""
    at = journal._HEADER.fields["count"][1]  # type: ignore[index]
    while int.from_bytes(path.read_bytes()[at : at + 8], "little") <= than + 200:
        pass
