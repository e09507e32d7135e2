"""Which windows are due, against the plainest way to say it."""

from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.stream.journal import Run
from edge_runtime.stream.window import Cursor, Geometry, behind, due, waiting


def run(start: int, end: int, *, seq: int = 0, segment: str = "a") -> Run:
    return Run(segment, True, True, seq, start, end)


def starts(runs: list[Run], geometry: Geometry, cursor: Cursor = Cursor()) -> list[int]:  # noqa: B008
    return [span.start for span in due(runs, cursor, 0, geometry, 1000).spans]


def test_a_window_begins_every_stride_samples() -> None:
    assert starts([run(0, 10)], Geometry(length=4, stride=3)) == [0, 3, 6]


def test_no_window_straddles_two_runs_and_each_run_begins_anew() -> None:
    assert starts([run(0, 5), run(5, 10)], Geometry(length=4, stride=3)) == [0, 5]


def test_a_stride_longer_than_a_window_does_not_reach_into_the_next_run() -> None:
    assert starts([run(0, 5), run(5, 10)], Geometry(length=2, stride=8)) == [0, 5]


def test_a_window_carries_the_sensors_own_numbers() -> None:
    span = due([run(5, 20, seq=100, segment="walk")], Cursor(), 0, Geometry(4, 4), 1).spans[0]
    assert (span.segment, span.first, span.last) == ("walk", 100, 103)


def test_overwritten_windows_are_counted_and_the_grid_is_kept() -> None:
    found = due([run(0, 20)], Cursor(), 5, Geometry(length=4, stride=2), 1000)
    assert found.dropped == 3
    assert found.spans[0].start == 6


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 5))
def test_behind_a_window_is_the_first_that_shares_no_sample_with_it(
    length: int, stride: int, number: int
) -> None:
    spans = due([run(5, 200, seq=100)], Cursor(), 0, Geometry(length, stride), 1000).spans
    one = spans[number]
    others = [span for span in spans[number:] if span.first > one.last]
    assert behind(one) == (len(spans) - number - len(others), Cursor(5, others[0].start))


@st.composite
def many_runs(draw: st.DrawFn) -> list[Run]:
    lengths = draw(st.lists(st.integers(0, 30), min_size=1, max_size=5))
    runs, start = [], draw(st.integers(0, 10))
    for length in lengths:
        runs.append(run(start, start + length))
        start += length + draw(st.integers(0, 3))
    return runs


@given(many_runs(), st.integers(1, 12), st.integers(1, 12), st.integers(1, 4), st.integers(0, 60))
def test_every_window_is_due_exactly_once_or_counted_as_dropped(
    runs: list[Run], length: int, stride: int, limit: int, oldest: int
) -> None:
    expected = [
        (one.start, start) for one in runs for start in range(one.start, one.end - length + 1, stride)
    ]
    alive = [start for _, start in expected if start >= oldest]
    found, dropped, cursor = [], 0, Cursor()
    while True:
        assert waiting(runs, cursor, Geometry(length, stride)) == len(expected) - len(found) - dropped
        step = due(runs, cursor, oldest, Geometry(length, stride), limit)
        dropped += step.dropped
        if not step.spans:
            break
        found += [span.start for span in step.spans]
        cursor = step.spans[-1].after
    assert found == alive
    assert dropped == len(expected) - len(alive)


@given(st.integers(1, 60), st.integers(1, 12), st.integers(1, 12))
def test_windows_are_the_same_however_the_samples_arrive(total: int, length: int, stride: int) -> None:
    found, cursor = [], Cursor()
    for count in range(total + 1):
        step = due([run(0, count)], cursor, 0, Geometry(length, stride), 100)
        found += [span.start for span in step.spans]
        cursor = step.cursor
    assert found == list(range(0, total - length + 1, stride))
