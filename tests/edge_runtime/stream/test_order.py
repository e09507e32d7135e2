"""Samples that come twice, late, early or not at all."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.stream.decode import Block
from edge_runtime.stream.journal import Rows, SampleRing, memory_ring
from edge_runtime.stream.order import Order

CHANNELS = 2
CAPACITY = 64
PATIENCE = CAPACITY // 4


class Sensor:
    """Sends samples whose values tell their number and their segment."""

    def __init__(self, segment: str | None = "a", *, offset: float = 0.0, usable: bool = True) -> None:
        self.segment, self.offset, self.usable = segment, offset, usable

    def block(self, seq: int | None, count: int = 1) -> Block:
        first = 0 if seq is None else seq
        rows = np.array([[n + self.offset, -n] for n in range(first, first + count)], np.float32)
        return Block(self.segment, seq, rows, np.full(count, math.nan), self.usable)


class Setting:
    def __init__(self) -> None:
        self.ring = memory_ring(CAPACITY, CHANNELS)
        self.order = Order(self.ring)

    def take(self, *numbers: int | None, sensor: Sensor | None = None) -> None:
        for number in numbers:
            self.order.take((sensor or Sensor()).block(number))

    def runs(self) -> list[tuple[str, list[int]]]:
        """Each run that has samples: its segment and the numbers in it."""
        runs = [r for r in self.ring.runs() if r.end > r.start]
        return [(r.segment, list(range(r.seq, r.seq + r.end - r.start))) for r in runs]

    def numbers(self) -> list[list[int]]:
        return [numbers for _, numbers in self.runs()]

    def counters(self) -> dict[str, int]:
        return {name: count for name, count in self.ring.counters().items() if count}


@pytest.fixture
def setting() -> Setting:
    return Setting()


def values(ring: SampleRing) -> list[Rows]:
    return [ring.copy(run.start, run.end) for run in ring.runs() if run.end > run.start]


def test_samples_in_order_make_one_run(setting: Setting) -> None:
    setting.take(7, 8, 9)
    assert setting.runs() == [("a", [7, 8, 9])]
    assert setting.counters() == {"taken": 3}


def test_a_chunk_is_taken_in_at_once(setting: Setting) -> None:
    setting.order.take(Sensor().block(0, 10))
    setting.order.take(Sensor().block(10, 10))
    assert setting.numbers() == [list(range(20))]


def test_a_chunk_longer_than_the_ring_keeps_what_fits(setting: Setting) -> None:
    setting.order.take(Sensor().block(0, 5 * CAPACITY))
    assert setting.ring.count == 5 * CAPACITY
    newest = setting.ring.copy(setting.ring.oldest, setting.ring.count)
    assert newest[:, 0].tolist() == list(range(setting.ring.oldest, 5 * CAPACITY))


def test_a_sample_that_comes_again_is_dropped(setting: Setting) -> None:
    setting.take(0, 1, 2, 1, 2, 3)
    assert setting.numbers() == [[0, 1, 2, 3]]
    assert setting.counters() == {"taken": 4, "duplicates": 2}


def test_late_samples_fill_the_gap(setting: Setting) -> None:
    setting.take(0, 3, 4, 3)
    assert setting.order.waiting
    setting.take(2, 1)
    assert not setting.order.waiting
    assert setting.numbers() == [[0, 1, 2, 3, 4]]
    assert setting.counters() == {"taken": 5, "duplicates": 1}


def test_a_gap_given_up_splits_the_run_and_counts_what_is_missing(setting: Setting) -> None:
    setting.take(0, 1, 4, 5)
    setting.order.give_up()
    assert setting.numbers() == [[0, 1], [4, 5]]
    assert setting.counters() == {"taken": 4, "missing": 2}


def test_one_gap_is_given_up_at_a_time(setting: Setting) -> None:
    setting.take(0, 2, 4)
    setting.order.give_up()
    assert setting.order.waiting
    setting.take(3)
    assert setting.numbers() == [[0], [2, 3, 4]]


def test_what_comes_after_its_gap_was_given_up_is_late(setting: Setting) -> None:
    setting.take(0, 2)
    setting.order.give_up()
    setting.take(1, 3)
    assert setting.numbers() == [[0], [2, 3]]
    assert setting.counters() == {"taken": 3, "missing": 1, "late": 1}


def test_a_jump_too_far_to_wait_for_is_a_gap_at_once(setting: Setting) -> None:
    setting.take(0, 2, 1000, 1001)
    assert setting.numbers() == [[0], [2], [1000, 1001]]
    assert setting.counters() == {"taken": 4, "missing": 1 + 997}


def test_one_absurd_number_does_not_end_the_stream(setting: Setting) -> None:
    setting.take(0, 1, 2**50, 2, 3)
    assert setting.numbers() == [[0, 1], [2**50], [2, 3]]


def test_another_segment_begins_a_run_of_its_own(setting: Setting) -> None:
    setting.take(0, 1)
    setting.take(0, 1, sensor=Sensor("b"))
    assert setting.runs() == [("a", [0, 1]), ("b", [0, 1])]


def test_a_straggler_of_the_last_segment_does_not_break_this_one(setting: Setting) -> None:
    setting.take(0, 1)
    setting.take(0, sensor=Sensor("b"))
    setting.take(1)
    setting.take(1, sensor=Sensor("b"))
    assert setting.runs() == [("a", [0, 1]), ("b", [0, 1])]
    assert setting.counters() == {"taken": 4, "duplicates": 1}


def test_a_sensor_without_segments_that_starts_over_begins_one(setting: Setting) -> None:
    setting.take(0, 1, 2, sensor=Sensor(None))
    setting.take(0, 1, sensor=Sensor(None, offset=0.5))
    (first, numbers), (second, again) = setting.runs()
    assert (numbers, again) == ([0, 1, 2], [0, 1])
    assert first != second


def test_redelivered_first_samples_are_no_new_start(setting: Setting) -> None:
    setting.take(0, 1, 2, 0, 1, 2, 3, sensor=Sensor(None))
    assert setting.numbers() == [[0, 1, 2, 3]]
    assert setting.counters() == {"taken": 4, "duplicates": 3}


def test_a_sensor_that_starts_over_under_the_same_name_is_heard(setting: Setting) -> None:
    setting.take(0, 1, 2)
    setting.take(0, 1, sensor=Sensor("a", offset=0.5))
    assert setting.runs() == [("a", [0, 1, 2]), ("a", [0, 1])]


def test_unnumbered_samples_are_numbered_as_they_come(setting: Setting) -> None:
    setting.take(None, None, None, sensor=Sensor(None))
    setting.order.take(Sensor(None).block(None, 20))
    assert setting.numbers() == [list(range(23))]


def test_an_unusable_sample_splits_the_run_without_waiting(setting: Setting) -> None:
    setting.take(0, 1)
    setting.take(2, sensor=Sensor(usable=False))
    setting.take(3, 4)
    assert not setting.order.waiting
    assert setting.numbers() == [[0, 1], [3, 4]]
    assert setting.counters() == {"taken": 4}


def test_an_unusable_unnumbered_sample_splits_the_run(setting: Setting) -> None:
    setting.take(None, None, sensor=Sensor(None))
    setting.take(None, sensor=Sensor(None, usable=False))
    setting.take(None, sensor=Sensor(None))
    assert setting.numbers() == [[0, 1], [3]]


def test_nothing_but_unusable_samples_for_a_long_time(setting: Setting) -> None:
    setting.take(0)
    setting.take(*range(1, 10 * CAPACITY), sensor=Sensor(usable=False))
    setting.take(10 * CAPACITY)
    assert setting.numbers() == [[0], [10 * CAPACITY]]
    setting.take(*[None] * 10 * CAPACITY, sensor=Sensor("n", usable=False))
    setting.take(None, sensor=Sensor("n"))
    assert setting.counters() == {"taken": 3}


FATES = st.tuples(st.integers(0, 9), st.integers(0, 6), st.integers(0, 20))


def arrivals(fates: list[tuple[int, int, int]]) -> list[int]:
    """Numbers from 0 on, a tenth missing, some twice, none more than 20 places from its own."""
    kept = [(n + shift, n) for n, (alive, shift, _) in enumerate(fates) if alive]
    again = [(n + shift, n) for n, (alive, _, shift) in enumerate(fates) if alive and shift > 15]
    return [n for _, n in sorted(kept + again)]


@given(st.lists(FATES, min_size=1, max_size=40))
def test_each_sample_is_taken_once_and_runs_are_the_unbroken_stretches(
    fates: list[tuple[int, int, int]],
) -> None:
    order = arrivals(fates)
    setting = Setting()
    first = min(order, default=0)
    setting.take(first, *order)
    while setting.order.waiting:
        setting.order.give_up()
    taken = sorted({first, *order})
    stretches = [[n for n in taken if n - taken.index(n) == d] for d in _unique(taken)]
    assert setting.numbers() == stretches
    for numbers, rows in zip(stretches, values(setting.ring), strict=True):
        assert rows[:, 0].tolist() == numbers
    counters = setting.ring.counters()
    assert counters["taken"] == len(taken)
    assert counters["duplicates"] == len(order) + 1 - len(taken)
    assert counters["missing"] == max(taken) + 1 - min(taken) - len(taken)


def _unique(taken: list[int]) -> list[int]:
    return sorted({n - i for i, n in enumerate(taken)})


@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, "a", "b"]),
            st.one_of(st.none(), st.integers(0, 200), st.integers(0, 2**53 - 1)),
            st.integers(1, 40),
            st.booleans(),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_whatever_comes_the_books_balance(
    messages: list[tuple[str | None, int | None, int, bool, bool]],
) -> None:
    setting = Setting()
    usable_samples = 0
    for segment, seq, count, usable, impatient in messages:
        setting.order.take(Sensor(segment, usable=usable).block(seq, count))
        usable_samples += count if usable else 0
        if impatient:
            setting.order.give_up()
        runs = setting.ring.runs()
        assert all(a.end <= b.start for a, b in pairwise(runs))
        assert setting.ring.high - setting.ring.count <= PATIENCE
    counters = setting.ring.counters()
    dropped = counters["duplicates"] + counters["late"]
    assert counters["taken"] <= usable_samples <= counters["taken"] + dropped
