"""Text for a terminal: tables, cut lists, sizes, and nothing in it that a terminal would act on."""

from collections.abc import Iterator, Sequence

MAX_LISTED = 40
MAX_TEXT = 200


def cut(lines: Sequence[str], most: int = MAX_LISTED) -> list[str]:
    """At most so many lines that a page stays readable."""
    rest = len(lines) - most
    return list(lines) if rest <= 0 else [*lines[:most], f"... and {rest} more"]


def table(rows: Sequence[Sequence[str]], *, numbers: bool = True) -> Iterator[str]:
    """Columns as wide as their widest cell; the first to the left, `numbers` to the right."""
    widths: dict[int, int] = {}
    for row in rows:
        for column, cell in enumerate(row):
            widths[column] = max(widths.get(column, 0), len(cell))
    for row in rows:
        first = f"{row[0]:<{widths[0]}}"
        side = ">" if numbers else "<"
        yield "  ".join([first, *[f"{cell:{side}{widths[i]}}" for i, cell in enumerate(row[1:], 1)]])


def size(count: int) -> str:
    """Bytes for people, such as `3.1 kB`."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(count) >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


def plain(text: str, most: int = MAX_TEXT) -> str:
    """Text without anything a terminal would act on, cut to a readable length."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[: most + 1])
    return shown if len(text) <= most else shown[:most] + "..."
