"""The part of docs/coverage.md on blocks: their errors, and whether TensorRT-RTX builds their graphs."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from math import floor, log10

from converter.backends.tensorrt import Trial, try_builds
from converter.standard.variant import PROFILE
from tests.converter.blocks.cases import Case, Measured, every_case, measure
from tests.converter.blocks.in_graph import graph_of

CAPABILITIES = ("8.6", "12.0")
TITLE = "## Blocks"
# Sums of float32 round otherwise on another machine: a figure is one of few, and never too small.
_FIGURES = (1, 2, 5, 10)
_LEAST = 1e-8


@dataclass(frozen=True)
class Row:
    """What a line of the table says; the errors are as they are shown."""

    name: str
    block: str
    library: str
    bound: str
    in_numpy: str
    in_graph: str
    built: str


def rows() -> Iterator[Row]:
    """Of every case, in the order of the documentation."""
    cases = tuple(every_case())
    with plans(cases) as trials:
        for case in cases:
            yield row(case, measure(case), trials[case.name].result())


def row(case: Case, errors: Measured, trials: Sequence[Trial]) -> Row:
    built = ", ".join(trial.capability for trial in trials if not trial.why)
    return Row(
        case.name,
        f"`{' '.join(repr(case.block).split())}`",
        case.library,
        shown(case.bound, case.bound),
        shown(errors.in_numpy, case.bound),
        shown(errors.in_graph, case.bound),
        built or "–",
    )


def shown(error: float, bound: float) -> str:
    """An error rounded up to 1, 2 or 5 times a power of ten, or to its bound where that is less."""
    if error == 0 == bound:
        return "exact"
    if error in (0, bound):
        return f"{error:.2g}"
    least = max(error, _LEAST)
    unit = 10.0 ** floor(log10(least))
    up = next(times * unit for times in _FIGURES if least <= times * unit * (1 + 1e-9))
    return f"{min(up, bound) if error < bound else up:.2g}"


@contextmanager
def plans(cases: Sequence[Case]) -> Iterator[dict[str, Future[tuple[Trial, ...]]]]:
    """Builds of every case's graph, begun at once, a few at a time, by the case's name."""
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        try:
            yield {
                case.name: pool.submit(try_builds, graph(case), PROFILE, CAPABILITIES) for case in cases
            }
        finally:
            pool.shutdown(cancel_futures=True)


def graph(case: Case) -> bytes:
    """The graph of the block alone."""
    inputs = case.inputs(3)
    return graph_of(case.block.fit(inputs), inputs)


def section(found: Sequence[Row]) -> str:
    """The part of the page, title and all."""
    titles = "case | block | held against | allowed | numpy | graph | TensorRT"
    lines = [_HEAD.format(total=len(found), built=sum(_is_built(each) for each in found)).rstrip(), ""]
    lines += [f"| {titles} |", "|---" * 7 + "|"]
    lines += [f"| {' | '.join(vars(each).values())} |" for each in found]
    return "\n".join(lines) + "\n"


def read_section(text: str) -> dict[str, Row]:
    """What a page says, by the name of the case."""
    _, _, part = text.partition(f"\n{TITLE}\n")
    cells = [line[2:-2].split(" | ") for line in part.splitlines() if line.startswith("| ")]
    return {each[0]: Row(*each) for each in cells[1:]}


def _is_built(each: Row) -> bool:
    return each.built == ", ".join(CAPABILITIES)


_HEAD = f"""\
{TITLE}

Blocks of `converter.blocks`, on inputs that `fit` has not seen, held against the library they are like,
which computes in float64. **allowed**: the largest error that the block's docstring states. **numpy**:
the error of `transform`; **graph**: that of its graph in ONNX Runtime. Each is the largest error of any
number, over the answer's largest, rounded up to 1, 2 or 5 times a power of ten, as the last digits
differ from machine to machine; **exact**: no number differs. **TensorRT**: as above, of the same graph.

TensorRT-RTX builds plans of **{{built}} of {{total}}** for all of these.
"""
