"""The variants of a bundle, and what was promised of it, as lines for a terminal."""

from collections.abc import Mapping, Sequence

from variants.outcome import Outcome

_HEADS = (
    "variant",
    "precision",
    "kB",
    "of fp32",
    "weights",
    "accuracy",
    "drop (95 % interval)",
    "time",
    "kept",
)


def table(found: Sequence[Outcome]) -> str:
    """A line for each; below, why it was kept or dropped."""
    rows = [_HEADS, *(_cells(each) for each in found)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEADS))]
    lines = [
        "  ".join(
            cell.ljust(width) if at < 2 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    reasons = [f"{each.name}: {each.why}" for each in found]
    return "\n".join([*lines, "", *reasons])


def verdicts(held: Mapping[str, bool]) -> str:
    """A line for each claim: whether it held."""
    return "\n".join(f"{'held' if is_so else 'NOT HELD':<9}{claim}" for claim, is_so in held.items())


def _cells(each: Outcome) -> tuple[str, ...]:
    drop = "-"
    if each.drop is not None:
        lost, low, high = each.drop
        drop = f"{lost:.4f} ({low:+.4f} to {high:+.4f})"
    return (
        each.name,
        each.precision,
        "-" if each.size_bytes is None else f"{each.size_bytes / 1000:.1f}",
        _number(each.size, 2),
        _number(each.weights, 3),
        _number(each.accuracy, 4),
        drop,
        _number(each.time, 2),
        "yes" if each.kept else "no",
    )


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
