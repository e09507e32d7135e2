"""Which windows are left while a model is eased: the same ones, however they come."""

import numpy as np
import pytest

from edge_runtime.agent.thinning import thinned
from edge_runtime.stream.journal import Run
from edge_runtime.stream.pipeline import Windows
from edge_runtime.stream.window import Cursor, Geometry, due

GEOMETRY = Geometry(length=4, stride=2)
RUNS = [
    Run("a", True, True, 0, 0, 31),  # 14 windows
    Run("b", True, True, 0, 31, 34),  # none
    Run("c", True, True, 100, 40, 61),  # 9
]


def windows(cursor: Cursor, limit: int) -> Windows:
    """Those that are due, as a stream gives them; the rows tell where each begins."""
    found = due(RUNS, cursor, 0, GEOMETRY, limit)
    starts = [span.start for span in found.spans]
    rows = np.repeat(np.asarray(starts, np.float32), 8).reshape(-1, 4, 2)
    begin = Cursor(found.spans[0].after.run, starts[0]) if starts else found.cursor
    return Windows(found.spans, rows, begin, found.cursor, 0)


def walk(every: int, limit: int) -> tuple[list[int], int]:
    """Where the windows begin that are left, and how many are skipped on the way."""
    cursor, left, skipped = Cursor(), list[int](), 0
    while (found := windows(cursor, limit)).spans:
        before, between, kept = thinned(found, every)
        skipped += before + between
        assert [row[0, 0] for row in kept.rows] == [span.start for span in kept.spans]
        left += [span.start for span in kept.spans]
        cursor = kept.cursor
    return left, skipped


@pytest.mark.parametrize("limit", [1, 3, 32])
def test_every_nth_of_each_run_is_left_and_all_others_are_counted(limit: int) -> None:
    of_a, of_c = list(range(0, 28, 2)), list(range(40, 58, 2))
    assert walk(1, limit) == (of_a + of_c, 0)
    assert walk(2, limit) == (of_a[::2] + of_c[::2], 11)
    assert walk(8, limit) == ([0, 16, 40, 56], 19)


def test_a_run_that_failed_begins_at_the_first_that_is_left() -> None:
    before, between, kept = thinned(windows(Cursor(0, 2), 8), 4)

    assert (before, between, [span.start for span in kept.spans]) == (3, 3, [8, 16])
    assert (kept.begin, kept.cursor) == (Cursor(0, 8), Cursor(0, 18))
    assert [span.start for span in windows(kept.begin, 1).spans] == [8]
