"""Plots as inline SVG, drawn for the width of a phone; colours are the page's (style.css)."""

from collections.abc import Sequence
from math import floor, log10

import numpy as np
from numpy.typing import NDArray

from converter.page.markup import text

WIDTH = 360
_MAX_CLASSES = 40
_SMALLEST_CELL_WITH_NUMBER = 17
LETTER = 6.8  # the width of one, about
_BINS = 20
_DECADES = 6  # below what is allowed


def svg(height: float, label: str, parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    head = f'viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{text(label)}"'
    return f"<svg {head}>\n{body}\n</svg>"


def word(x: float, y: float, said: str, kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{text(said)}</text>'


def _box(x: float, y: float, sides: tuple[float, float], kind: str, opacity: float = 1) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{sides[0]:.1f}" height="{sides[1]:.1f}"'
    return f'<rect {place} class="{kind}" fill-opacity="{opacity:.2g}"/>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def bars(label: str, rows: Sequence[tuple[str, str, float, float]]) -> str:
    """A bar a row: its name, what it says in words, its length, and where its whisker ends (or 0)."""
    longest = max([max(length, whisker) for _, _, length, whisker in rows] + [1e-30])
    parts = []
    for at, (name, said, length, whisker) in enumerate(rows):
        top = at * 44 + 4
        parts += [word(0, top + 12, name), word(WIDTH, top + 12, said, "end")]
        parts.append(_box(0, top + 18, (max(1.0, length / longest * WIDTH), 14), "bar"))
        if whisker > length:
            parts.append(
                line(length / longest * WIDTH, top + 25, whisker / longest * WIDTH, top + 25, "rule")
            )
    return svg(len(rows) * 44, label, parts)


def error_histogram(
    label: str, errors: NDArray[np.float64], allowed: float, limit: str = "allowed"
) -> str:
    """How many inputs differ by how much: half decades of a log scale, and a line at what is allowed.

    limit: what is written at that line.
    The first bar is of equal answers and of differences more than six decades below `allowed`.
    """
    low, high = floor(log10(allowed)) - _DECADES, floor(log10(allowed)) + 2
    edges = np.power(10.0, np.arange(2 * low, 2 * high + 1) / 2)
    counts = [int((errors < edges[0]).sum()), *np.histogram(errors, edges)[0].tolist()]
    counts[-1] += int((errors >= edges[-1]).sum())
    bottom, left, step = 150, 8, (WIDTH - 16) / len(counts)
    parts = [line(0, bottom, WIDTH, bottom, "axis")]
    for at, count in enumerate(counts):
        if not count:
            continue
        height = max(1.0, count / max(counts) * (bottom - 40))
        x = left + at * step
        parts.append(_box(x + 1, bottom - height, (step - 2, height), "bar"))
        parts.append(word(x + step / 2, bottom - height - 4, f"{count:,}", "middle small"))
    parts.append(word(left + step / 2, bottom + 14, "0", "middle small"))
    for exponent in range(low + 1, high + 1):
        x = left + (1 + 2 * (exponent - low)) * step
        parts.append(line(x, bottom, x, bottom + 4, "axis"))
        if (exponent - low) % 2:
            parts.append(word(x, bottom + 14, f"1e{exponent}", "middle small"))
    x = left + (1 + 2 * (log10(allowed) - low)) * step
    parts += [line(x, 16, x, bottom, "limit"), word(x, 11, limit, "middle small")]
    return svg(bottom + 20, label, parts)


def residuals(label: str, errors: NDArray[np.float64]) -> str:
    """How many predictions are wrong by how much: twenty bins, as far below 0 as above."""
    reach = float(np.abs(errors).max()) or 1.0
    counts = np.histogram(errors, bins=_BINS, range=(-reach, reach))[0].tolist()
    bottom, step = 150, WIDTH / _BINS
    parts = [line(0, bottom, WIDTH, bottom, "axis")]
    for at, count in enumerate(counts):
        if count:
            height = max(1.0, count / max(counts) * (bottom - 30))
            parts.append(_box(at * step + 1, bottom - height, (step - 2, height), "bar"))
    parts.append(line(WIDTH / 2, 16, WIDTH / 2, bottom, "limit"))
    parts.append(word(0, bottom + 14, f"{-reach:.3g}", "small"))
    parts.append(word(WIDTH / 2, bottom + 14, "0", "middle small"))
    parts.append(word(WIDTH, bottom + 14, f"{reach:.3g}", "end small"))
    parts.append(word(0, 11, f"tallest bar: {max(counts):,}", "small"))
    return svg(bottom + 20, label, parts)


def confusion_matrix(label: str, classes: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """A row a true class, shaded by the share of it; what is wrong has another colour.

    Nothing for more than 40 classes: nobody could read it.
    """
    count = len(counts)
    if not 1 < count <= _MAX_CLASSES:
        return ""
    names = [name if len(name) <= 14 else name[:13] + "…" for name in classes]
    left = min(105.0, max(len(name) for name in names) * LETTER + 8)
    cell = min(56.0, (WIDTH - left) / count)
    is_upright = max(len(name) for name in names) * LETTER > cell
    top = left if is_upright else 18.0
    parts = []
    for i, row in enumerate(counts):
        y = top + i * cell
        letters = "" if cell >= 14 else "tiny"
        parts.append(word(left - 6, y + cell / 2 + 4, names[i], f"end {letters}"))
        parts.append(_title_of_column(left + (i + 0.5) * cell, top - 6, names[i], letters, is_upright))
        for j, number in enumerate(row):
            kind = "right" if i == j else "wrong"
            parts.append(_cell(left + j * cell, y, cell, kind, (number, sum(row))))
    return svg(top + count * cell + 4, label, parts)


def _title_of_column(x: float, y: float, name: str, letters: str, is_upright: bool) -> str:
    if not is_upright:
        return word(x, y, name, f"middle {letters}")
    turned = f"translate({x + 4:.1f} {y:.1f}) rotate(-90)"
    return f'<g transform="{turned}">{word(0, 0, name, letters)}</g>'


def _cell(x: float, y: float, size: float, kind: str, of: tuple[int, int]) -> str:
    """`of`: the number in the cell, and that of its whole row."""
    number, share = of[0], of[0] / max(1, of[1])
    inner = (size - 1, size - 1)
    drawn = _box(x + 0.5, y + 0.5, inner, "cell")
    if number:
        drawn += _box(x + 0.5, y + 0.5, inner, kind, 0.15 + 0.85 * share)
        if size >= _SMALLEST_CELL_WITH_NUMBER:
            shown = "middle dark" if share > 0.5 else "middle"
            drawn += word(x + size / 2, y + size / 2 + 4, str(number), shown)
    return drawn
