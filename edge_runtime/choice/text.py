"""A table of candidates for people: columns in a terminal, or one line in a log."""

from collections.abc import Callable, Sequence

from edge_runtime.bundle.layout import plain, table
from edge_runtime.choice.decision import Measured
from edge_runtime.engine.candidate import Candidate

_MAX_WHY_NOT = 120  # characters, in one line
_COLUMNS: dict[str, Callable[[Measured], str]] = {
    "p50 µs": lambda row: _number(row.p50_us, ".1f"),
    "p99.9 µs": lambda row: _number(row.p99_9_us, ".1f"),
    "rows/s": lambda row: _number(row.batch_rows_per_s, ",.0f"),
    "peak MB": lambda row: _number(row.memory_mb, ".0f"),
    "allocated MB": lambda row: _number(row.allocated_mb, ".0f"),
    "load ms": lambda row: _number(row.load_ms, ".0f"),
}


def columns(rows: Sequence[Measured], marks: dict[Candidate, str] | None = None) -> list[str]:
    """One line a candidate, with its mark at the end, then a sentence for each that cannot serve.

    A column that nobody has a number for is left out.
    """
    cells = {title: [value(row) for row in rows] for title, value in _COLUMNS.items()}
    shown = {title: column for title, column in cells.items() if any(cell != "-" for cell in column)}
    lines = [["variant", "on", *shown]]
    for at, row in enumerate(rows):
        name = row.candidate
        lines.append(
            [
                plain(name.variant),
                plain(name.provider) or "-",
                *(column[at] for column in shown.values()),
            ]
        )
    text = [line.rstrip() for line in table(lines)]
    for at, row in enumerate(rows, 1):
        if mark := (marks or {}).get(row.candidate):
            text[at] += f"  {mark}"
    return [*text, *(f"{row.candidate}: {row.why_not}" for row in rows if row.why_not)]


def in_short(rows: Sequence[Measured]) -> str:
    """What was measured, in one sentence's words."""
    return "; ".join(map(_in_short, rows))


def _in_short(row: Measured) -> str:
    if row.why_not:
        return f"{row.candidate} cannot serve: {plain(row.why_not, _MAX_WHY_NOT)}"
    if row.p50_us is None:
        return str(row.candidate)
    memory = "" if row.memory_mb is None else f", {row.memory_mb:.0f} MB"
    return f"{row.candidate} {row.p50_us:.1f} µs{memory}"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
