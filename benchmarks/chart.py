"""docs/benchmarks.md and its charts, from the newest result of each benchmark.

    python benchmarks/chart.py [--results FOLDER] [--docs FOLDER]

Run it after a benchmark has written into benchmarks/results. The same results give the same bytes: a
test compares what is committed.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from headlines import HEADLINES
from machine import RESULTS
from pictures import PICTURES
from svg import Chart

ROOT = Path(__file__).resolve().parent.parent
PAGE, CHARTS = "benchmarks.md", "charts"
T = TypeVar("T")
_DATED = re.compile(r"-\d{4}-\d\d-\d\d$")


@dataclass(frozen=True)
class Newest:
    """The newest result of a benchmark."""

    benchmark: str
    file: Path
    result: dict[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.result, dict) or not {"date", "machine"} <= self.result.keys():
            raise click.ClickException(f"{self.file}: expected a result with `date` and `machine`.")


@click.command(help=__doc__.splitlines()[0])
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, help="Where they lie.")
@click.option("--docs", type=click.Path(path_type=Path), default=ROOT / "docs", help="Where to write.")
def main(results: Path, docs: Path) -> None:
    newest = [found for name in HEADLINES if (found := find_newest(results, name))]
    if not newest:
        raise click.ClickException(f"{results}: expected results of benchmarks, found none.")
    charts = {
        name: chart
        for one in newest
        for name, (benchmark, draw) in PICTURES.items()
        if benchmark == one.benchmark and (chart := _made(draw, one)) is not None
    }
    made = {docs / CHARTS / f"{name}.svg": chart.svg for name, chart in charts.items()}
    made[docs / PAGE] = page(newest, charts)
    (docs / CHARTS).mkdir(parents=True, exist_ok=True)
    for path, text in made.items():
        path.write_text(text, "utf-8")


def find_newest(results: Path, benchmark: str) -> Newest | None:
    """By the date in its name."""
    found = [
        path
        for path in results.glob(f"{benchmark}-*.json")
        if _DATED.search(path.stem) and _DATED.sub("", path.stem) == benchmark
    ]
    if not found:
        return None
    file = max(found)
    try:
        return Newest(benchmark, file, json.loads(file.read_text("utf-8")))
    except ValueError as error:
        raise click.ClickException(f"{file}: expected JSON, found: {error}.") from error


def page(newest: list[Newest], charts: Mapping[str, Chart]) -> str:
    by_name = {one.benchmark: one for one in newest}
    sections = (_section(name, chart, by_name[PICTURES[name][0]]) for name, chart in charts.items())
    return f"""# What is measured

Made by `benchmarks/chart.py` from the newest result of each benchmark; do not edit it. `make bench`
measures most of it again, `.venv/bin/python benchmarks/NAME.py` one; each script says at its head what
it compares and how. Ratios are of times measured in one run, interleaved: those compare between
machines, microseconds do not.

| benchmark | what | found | bound | kept | result |
|---|---|---:|---:|---|---|
{chr(10).join(line for one in newest for line in _lines(one))}

Measured on:

{chr(10).join(_machines(newest))}

{chr(10).join(sections)}"""


def _lines(one: Newest) -> Iterator[str]:
    """The rows of the table; the benchmark is named in the first."""
    name = f"`{one.benchmark}`"
    for each in _made(HEADLINES[one.benchmark], one):
        kept = "" if not each.bound else "yes" if each.kept else "**no**"
        cells = [name, each.what, each.found, each.bound, kept, _link(one)]
        yield f"| {' | '.join(cells)} |"
        name = ""


def _machines(newest: list[Newest]) -> Iterator[str]:
    """Each machine and its software once, with what was measured there."""
    where: dict[str, list[str]] = {}
    for one in newest:
        where.setdefault(_made(_machine, one), []).append(f"`{one.benchmark}`")
    for words, names in where.items():
        yield f"- {words}: {', '.join(names)}"


def _machine(result: dict[str, Any]) -> str:
    machine = result["machine"]
    words = f"{machine['cores']} cores of {machine['cpu']} ({machine['architecture']})"
    return f"{words}, Python {machine['python']}, onnxruntime {machine['onnxruntime']}"


def _section(name: str, chart: Chart, one: Newest) -> str:
    told = f"{_link(one)}, `benchmarks/{one.benchmark}.py`"
    return f"## {chart.title}\n\n![{chart.title}]({CHARTS}/{name}.svg)\n\n{told}\n"


def _link(one: Newest) -> str:
    return f"[{one.result['date']}](../benchmarks/results/{one.file.stem}.md)"


def _made(make: Callable[[dict[str, Any]], T], one: Newest) -> T:
    """What is made of a result; where that lacks a key, its file is told."""
    try:
        return make(one.result)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise click.ClickException(
            f"{one.file}: it is not what {one.benchmark}.py writes today ({error!r}). Run that "
            "benchmark again, or mend benchmarks/headlines.py or benchmarks/pictures.py."
        ) from error


if __name__ == "__main__":
    main()
