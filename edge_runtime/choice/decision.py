"""What was measured of each candidate, and which is taken: pure decisions."""

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from edge_runtime.engine.candidate import Candidate

Prefer = Literal["speed", "author"]
AS_FAST = 1.03  # within this the author's order counts, not the noise
NEAR = 2.0  # within this what else the machine did may have decided


class Measured(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One candidate on this machine, or `why_not` it cannot serve here.

    Times of one row in microseconds. `memory_mb` is the most of its process that was resident,
    `allocated_mb` the most of what a limit of memory counts. They are None where nothing was measured:
    of one that cannot serve, and of the only one there is.
    """

    candidate: Candidate
    why_not: str = ""
    p50_us: float | None = None
    p99_9_us: float | None = None
    memory_mb: float | None = None
    allocated_mb: float | None = None
    load_ms: float | None = None
    batch_rows_per_s: float | None = None
    golden_max_abs_error: float | None = None


def able(rows: Sequence[Measured]) -> list[Measured]:
    """Those that can serve here."""
    return [each for each in rows if not each.why_not]


def chosen(rows: Sequence[Measured], prefer: Prefer = "speed") -> Candidate | None:
    """The one of the lowest median; of several within noise, the author's first. None where none can.

    `rows` are in the author's order, which alone counts where `prefer` says so or nothing was measured.
    """
    usable = able(rows)
    times = [each.p50_us for each in usable if each.p50_us is not None]
    if prefer == "author" or not times:
        return usable[0].candidate if usable else None
    limit = min(times) * AS_FAST
    return next(each.candidate for each in usable if each.p50_us is not None and each.p50_us <= limit)


def contenders(rows: Sequence[Measured]) -> list[Candidate]:
    """Those that another look may find the fastest; none where one is far ahead."""
    times = {each.candidate: each.p50_us for each in able(rows) if each.p50_us is not None}
    near = [name for name, time in times.items() if time <= NEAR * min(times.values())]
    return near if len(near) > 1 else []


def faster(one: Measured, other: Measured) -> Measured:
    """Of two measurements of a candidate the one that was disturbed less; a failure before both."""
    if one.why_not or other.why_not:
        return one if one.why_not else other
    return min(one, other, key=lambda each: each.p50_us or 0.0)


def resolved(known: Iterable[Candidate], running: Candidate) -> Candidate:
    """What runs by the name it has in a table: an engine's own way is the first of its variant."""
    if running.provider:
        return running
    return next((each for each in known if each.variant == running.variant), running)


def lighter(rows: Sequence[Measured], running: Candidate) -> Candidate | None:
    """The next lighter candidate than the one that runs: the slowest of those that are truly faster."""
    running = resolved((each.candidate for each in rows), running)
    times = {each.candidate: each.p50_us for each in able(rows) if each.p50_us is not None}
    if running not in times:
        return None
    ahead = {name: time for name, time in times.items() if time * AS_FAST < times[running]}
    return max(ahead, key=lambda name: ahead[name], default=None)
