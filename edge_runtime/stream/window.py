"""Which windows are due: pure decisions over positions in a ring of samples."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_runtime.stream.journal import Run


@dataclass(frozen=True)
class Geometry:
    """`length` samples make a window; a new one begins every `stride` samples of a run."""

    length: int
    stride: int


@dataclass(frozen=True)
class Cursor:
    """Where the next window begins: at position `next`, counted within the run that began at `run`."""

    run: int = -1
    next: int = 0


@dataclass(frozen=True)
class Span:
    """One window: positions `start` to `start + length`, sensor numbers `first` to `last`."""

    segment: str
    start: int
    first: int
    last: int
    after: Cursor


@dataclass(frozen=True)
class Due:
    """The windows due now, where to look next, and how many windows were overwritten unseen."""

    spans: tuple[Span, ...]
    cursor: Cursor
    dropped: int


def due(runs: Sequence[Run], cursor: Cursor, oldest: int, geometry: Geometry, limit: int) -> Due:
    """The next windows, at most `limit`, each wholly inside one run.

    `runs`: oldest first. `oldest`: rows below this position are overwritten.
    """
    spans: list[Span] = []
    dropped = 0
    for run in runs:
        if run.start < cursor.run:
            continue
        if run.start > cursor.run:
            cursor = Cursor(run.start, run.start)
        gone = _windows_before(oldest, run, cursor, geometry)
        dropped += gone
        cursor = Cursor(run.start, cursor.next + gone * geometry.stride)
        while cursor.next + geometry.length <= run.end and cursor.next >= oldest:
            if len(spans) == limit:
                return Due(tuple(spans), cursor, dropped)
            first = run.seq + cursor.next - run.start
            after = Cursor(run.start, cursor.next + geometry.stride)
            spans.append(Span(run.segment, cursor.next, first, first + geometry.length - 1, after))
            cursor = after
    return Due(tuple(spans), cursor, dropped)


def behind(span: Span) -> tuple[int, Cursor]:
    """How many windows share a sample with this one and begin no earlier, itself among them, and where
    the next begins. Samples of some may be still to come."""
    stride = span.after.next - span.start
    count = -((span.first - span.last - 1) // stride)
    return count, Cursor(span.after.run, span.start + count * stride)


def waiting(runs: Sequence[Run], cursor: Cursor, geometry: Geometry) -> int:
    """How many complete windows there are from the cursor on, whatever is overwritten of them."""
    count = 0
    for run in runs:
        if run.start >= cursor.run:
            begin = cursor.next if run.start == cursor.run else run.start
            count += _complete(run, begin, geometry)
    return count


def _complete(run: Run, begin: int, geometry: Geometry) -> int:
    """How many of a run's windows from the position `begin` on have all their samples."""
    return max(0, (run.end - geometry.length - begin) // geometry.stride + 1)


def _windows_before(oldest: int, run: Run, cursor: Cursor, geometry: Geometry) -> int:
    """How many of a run's complete windows, from the cursor on, begin below `oldest`."""
    begun = max(0, -(-(oldest - cursor.next) // geometry.stride))
    return min(_complete(run, cursor.next, geometry), begun)
