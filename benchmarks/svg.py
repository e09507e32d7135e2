"""Two kinds of charts as SVG, written here so that the same numbers give the same bytes everywhere.

`dots`: rows of marks on one axis, linear from 0 or logarithmic. `lines`: values over time. Colours are
Okabe and Ito's, which the colour-blind tell apart, and each series has a shape of its own, too. The
background is painted, as the page may be dark.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

WIDTH = 860
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
SHAPES = ("circle", "square", "diamond", "triangle")
_INK, _PALE, _GRID = "#222222", "#666666", "#DDDDDD"
_CHARACTER = 6.6  # width of one at 12 px, in px, generously
_ROW, _PANEL, _MARGIN = 24, 30, 16
_MOST_TICKS = 8


@dataclass(frozen=True)
class Row:
    """`marks`: a value for each series, or None. `ours`: in bold. `note`: at the right."""

    label: str
    marks: tuple[float | None, ...]
    note: str = ""
    ours: bool = False


@dataclass(frozen=True)
class Panel:
    title: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Line:
    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Chart:
    title: str
    svg: str


@dataclass
class Picture:
    """Elements on a white ground; `height` is known at the end."""

    height: float = 0.0
    parts: list[str] = field(default_factory=list)

    def text(
        self, x: float, y: float, words: str, *, size: int = 12, anchor: str = "start", **more: str
    ) -> None:
        style = {"fill": _INK, "text-anchor": anchor, "font-size": str(size), **more}
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}"{_attributes(style)}>{escape(words, quote=False)}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str, **more: str) -> None:
        ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        self.parts.append(f'<line {ends} stroke="{colour}"{_attributes(more)}/>')

    def path(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        told = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(
            f'<polyline points="{told}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
        )

    def mark(self, x: float, y: float, series: int) -> None:
        colour, r = COLOURS[series], 5.0
        corners = {
            "square": [(-4, -4), (4, -4), (4, 4), (-4, 4)],
            "diamond": [(0, -r), (r, 0), (0, r), (-r, 0)],
            "triangle": [(0, -r), (r, 4), (-r, 4)],
        }.get(SHAPES[series])
        if corners is None:
            shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"'
        else:
            told = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
            shape = f'<polygon points="{told}"'
        self.parts.append(f'{shape} fill="{colour}" stroke="#FFFFFF" stroke-width="0.8"/>')

    def legend(self, x: float, y: float, names: Sequence[str]) -> None:
        for series, name in enumerate(names):
            self.mark(x, y - 4, series)
            self.text(x + 9, y, name)
            x += 9 + len(name) * _CHARACTER + 20

    def heading(self, title: str, subtitle: str, names: Sequence[str]) -> float:
        """Title, what it shows and whose marks are whose; the height that is used then."""
        self.text(_MARGIN, 28, title, size=17, **{"font-weight": "bold"})
        self.text(_MARGIN, 48, subtitle, fill=_PALE)
        self.legend(_MARGIN + 5, 72, names)
        return 84.0

    def finished(self, title: str) -> Chart:
        size = f'width="{WIDTH}" height="{self.height:.0f}" viewBox="0 0 {WIDTH} {self.height:.0f}"'
        family = "font-family=\"system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\""
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {family} role="img">'
        ground = f'<rect width="{WIDTH}" height="{self.height:.0f}" fill="#FFFFFF"/>'
        parts = [head, f"<title>{escape(title)}</title>", ground, *self.parts, "</svg>\n"]
        return Chart(title, "\n".join(parts))


@dataclass(frozen=True)
class Axis:
    """From values to x between `left` and `right`; `ticks` lie within."""

    low: float
    high: float
    left: float
    right: float
    ticks: tuple[float, ...]
    log: bool = False

    def at(self, value: float) -> float:
        share = (self._scaled(value) - self._scaled(self.low)) / (
            self._scaled(self.high) - self._scaled(self.low)
        )
        return self.left + share * (self.right - self.left)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.log else value


def linear(low: float, high: float, left: float, right: float, *, cut: bool = False) -> Axis:
    """Five or so round steps that hold both ends; `cut`: the axis ends where the values do."""
    rough = (high - low) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    ticks = tuple(round(number * step, 9) for number in range(first, last + 1))
    if cut:
        return Axis(low, high, left, right, tuple(tick for tick in ticks if low <= tick <= high))
    return Axis(ticks[0], ticks[-1], left, right, ticks)


def logarithmic(low: float, high: float, left: float, right: float) -> Axis:
    """From and to 1, 2 or 5 times a power of ten; ticks at all of these, or, where there are many, at
    the powers."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ends = [round(10.0**power * step, 9) for power in powers for step in (1, 2, 5)]
    first = max(each for each in ends if each <= low)
    last = min(each for each in ends if each >= high)
    inside = [each for each in ends if first <= each <= last]
    few = len(inside) <= _MOST_TICKS
    ticks = tuple(each for each in inside if few or math.log10(each).is_integer())
    return Axis(first, last, left, right, ticks, log=True)


def dots(
    title: str,
    subtitle: str,
    panels: Sequence[Panel],
    *,
    series: Sequence[str],
    axis: str,
    log: bool = False,
    bound: tuple[float, str] | None = None,
) -> Chart:
    """Rows of marks below one another; `axis` names what is along x, `bound` is a line with its name."""
    rows = [row for panel in panels for row in panel.rows]
    values = [mark for row in rows for mark in row.marks if mark is not None]
    values += [bound[0]] if bound else []
    picture = Picture()
    left = _MARGIN + 12 + max(len(row.label) for row in rows) * _CHARACTER * 1.05
    right = WIDTH - _MARGIN - 12 - max(len(row.note) for row in rows) * _CHARACTER
    scale = (
        logarithmic(min(values), max(values), left, right)
        if log
        else linear(0, max(values), left, right)
    )
    top = picture.heading(title, subtitle, series) + (16 if bound else 0)
    y = top
    for panel in panels:
        if panel.title:
            picture.text(_MARGIN, y + 20, panel.title, size=13, **{"font-weight": "bold"})
            y += _PANEL
        for row in panel.rows:
            _row(picture, row, scale, y)
            y += _ROW
    _grid(picture, scale, top, y)
    picture.text((left + right) / 2, y + 36, axis, anchor="middle")
    if bound:
        at = scale.at(bound[0])
        picture.line(at, top, at, y, _INK, **{"stroke-dasharray": "5 4", "stroke-width": "1.2"})
        picture.text(at, top - 4, bound[1], anchor="middle", size=11)
    picture.height = y + 50
    return picture.finished(title)


def _row(picture: Picture, row: Row, scale: Axis, y: float) -> None:
    middle = y + _ROW / 2
    weight = {"font-weight": "bold"} if row.ours else {}
    picture.text(_MARGIN, middle + 4, row.label, **weight)
    picture.text(WIDTH - _MARGIN, middle + 4, row.note, anchor="end", fill=_PALE, **weight)
    found = [mark for mark in row.marks if mark is not None]
    picture.line(scale.at(min(found)), middle, scale.at(max(found)), middle, "#AAAAAA")
    for series, mark in reversed(list(enumerate(row.marks))):
        if mark is not None:
            picture.mark(scale.at(mark), middle, series)


def _grid(picture: Picture, scale: Axis, top: float, y: float) -> None:
    """Behind the marks, so before them in the file."""
    grid = Picture()
    for tick in scale.ticks:
        grid.line(scale.at(tick), top, scale.at(tick), y, _GRID)
        grid.text(scale.at(tick), y + 16, number(tick), anchor="middle", fill=_PALE)
    picture.parts[:0] = grid.parts


def lines(
    title: str,
    subtitle: str,
    drawn: Sequence[Line],
    *,
    x_axis: str,
    y_axis: str,
    breaks: Sequence[float] = (),
    height: float = 320,
) -> Chart:
    """Values over x; the y axis holds them and need not begin at 0. `breaks`: where all begins anew."""
    picture = Picture()
    top = picture.heading(title, f"{subtitle} ({y_axis})", [line.name for line in drawn])
    bottom = top + height
    points = [point for line in drawn for point in line.points]
    across = linear(0, max(x for x, _ in points), _MARGIN + 40, WIDTH - _MARGIN - 12, cut=True)
    low, high = min(y for _, y in points), max(y for _, y in points)
    up = linear(low, high if high > low else low + 1, bottom, top + 8)
    for tick in up.ticks:
        picture.line(across.left, up.at(tick), across.right, up.at(tick), _GRID)
        picture.text(across.left - 8, up.at(tick) + 4, number(tick), anchor="end", fill=_PALE)
    for tick in across.ticks:
        picture.line(across.at(tick), bottom, across.at(tick), bottom + 5, _PALE)
        picture.text(across.at(tick), bottom + 18, number(tick), anchor="middle", fill=_PALE)
    for at in breaks:
        dotted = {"stroke-dasharray": "2 3"}
        picture.line(across.at(at), top + 8, across.at(at), bottom, _PALE, **dotted)
    for series, line in enumerate(drawn):
        for begin, end in pairwise([-math.inf, *breaks, math.inf]):
            places = [(across.at(x), up.at(y)) for x, y in line.points if begin <= x < end]
            picture.path(places, COLOURS[series])
        picture.mark(*places[-1], series)
    picture.text((across.left + across.right) / 2, bottom + 38, x_axis, anchor="middle")
    picture.height = bottom + 52
    return picture.finished(title)


def number(value: float) -> str:
    """A tick's, without zeros behind the point."""
    return f"{value:,.6f}".rstrip("0").rstrip(".")


def _attributes(given: dict[str, str]) -> str:
    return "".join(f' {name}="{value}"' for name, value in given.items())
