"""The page's section about candidates that were compared: a table, why one was chosen, and a plot."""

from collections.abc import Iterator, Sequence
from math import floor, log10

from converter.comparison.wording import Measured, Told, named
from converter.page import markup
from converter.page.plots import LETTER, WIDTH, line, svg, word

_TOP, _BOTTOM, _LEFT = 14.0, 190.0, 52.0
_LINE = 13.0  # as far apart are two names at least
_MOST_TICKS = 5


def section(told: Told) -> str:
    """All of a comparison."""
    title = told.metric.title
    caption = (
        f"{title[0].upper()}{title[1:]} with its 95 % interval, and the median time of one row. Blue: "
        f"chosen. {'Higher' if told.metric.higher_is_better else 'Lower'} and further left is better."
    )
    return markup.section(
        f"Chosen among {len(told.candidates)} candidates",
        markup.table(told.titles(), told.rows()),
        markup.items(told.reasons()),
        markup.figures(markup.figure(plot(told), caption)),
        markup.paragraphs(told.rule()),
    )


def plot(told: Told) -> str:
    """A point with a whisker for each candidate that was measured, on a log scale of time."""
    found = [(each, each.measured) for each in told.candidates if each.measured is not None]
    limit = told.limits.latency_us
    across = _Across([of.latency_us for _, of in found] + ([] if limit is None else [limit]))
    up = _Up([value for _, of in found for value in (of.low, of.high, of.score)])
    parts = [*_frame(told, across, up)]
    if limit is not None:
        x = across.at(limit)
        parts += [line(x, _TOP, x, _BOTTOM, "limit"), word(x, _TOP - 3, "allowed", "middle small")]
    names = _apart([up.at(of.score) for _, of in found])
    for each, of in found:
        parts += _point(across.at(of.latency_us), up, of, "chosen" if each.is_chosen else "other")
    for (each, of), y in zip(found, names, strict=True):
        parts.append(_named(across.at(of.latency_us), y, named(each.name)))
    return svg(_BOTTOM + 34, f"{told.metric.title} and latency of the candidates", parts)


class _Across:
    """Places of times, on a log scale of whole decades."""

    def __init__(self, times_us: Sequence[float]) -> None:
        self.first, last = floor(log10(min(times_us))), floor(log10(max(times_us))) + 1
        self.decades = last - self.first

    def at(self, time_us: float) -> float:
        return _LEFT + (log10(time_us) - self.first) / self.decades * (WIDTH - _LEFT)

    def tick(self, decade: int) -> float:
        return float(10.0 ** (self.first + decade))


class _Up:
    """Places of scores, from the lowest to the highest that is drawn."""

    def __init__(self, values: Sequence[float]) -> None:
        self.low, self.high = min(values), max(values)
        self.reach = (self.high - self.low) or 1.0

    def at(self, value: float) -> float:
        return _BOTTOM - 8 - (value - self.low) / self.reach * (_BOTTOM - _TOP - 16)


def _frame(told: Told, across: _Across, up: _Up) -> Iterator[str]:
    """Axes with their numbers."""
    yield line(_LEFT, _BOTTOM, WIDTH, _BOTTOM, "axis")
    yield line(_LEFT, _TOP, _LEFT, _BOTTOM, "axis")
    for value in (up.low, up.high):
        yield word(_LEFT - 6, up.at(value) + 4, told.metric.shown(value), "end small")
    last, step = across.decades, 1 + across.decades // _MOST_TICKS
    for at in range(last, -1, -step):
        time_us = across.tick(at)
        x = across.at(time_us)
        yield line(x, _BOTTOM, x, _BOTTOM + 4, "axis")
        yield word(x, _BOTTOM + 16, f"{time_us:,g} µs", f"{'end' if at == last else 'middle'} small")
    yield word(WIDTH, _BOTTOM + 30, "one row", "end small")


def _point(x: float, up: _Up, of: Measured, kind: str) -> Iterator[str]:
    """The interval as a line with its ends marked, the score as a dot."""
    low, high = up.at(of.low), up.at(of.high)
    yield line(x, low, x, high, f"whisker {kind}")
    for y in (low, high):
        yield line(x - 4, y, x + 4, y, f"whisker {kind}")
    yield f'<circle cx="{x:.1f}" cy="{up.at(of.score):.1f}" r="4.5" class="point {kind}"/>'


def _named(x: float, y: float, name: str) -> str:
    """A name beside its point, to whichever side there is more room."""
    is_right = x < (WIDTH + _LEFT) / 2
    room = int((WIDTH - x if is_right else x) / LETTER) - 2
    shown = name if len(name) <= room else name[: room - 1] + "…"
    return word(x + 8, y + 4, shown, "halo") if is_right else word(x - 8, y + 4, shown, "end halo")


def _apart(heights: Sequence[float]) -> list[float]:
    """The heights, moved as little as it takes that no two names lie over each other or the axis."""
    found, order = list(heights), sorted(range(len(heights)), key=heights.__getitem__)
    last = -_LINE
    for i in order:
        found[i] = last = max(heights[i], last + _LINE)
    first = _BOTTOM + _LINE / 2
    for i in reversed(order):
        found[i] = first = min(found[i], first - _LINE)
    return found
