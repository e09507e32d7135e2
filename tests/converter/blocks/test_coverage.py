"""Every block's graph is one that TensorRT takes, and docs/coverage.md says what is measured."""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from converter.backends.tensorrt import Trial
from converter.standard.splitting import split
from tests.converter.blocks.cases import Case, every_case
from tests.converter.blocks.coverage import CAPABILITIES, graph, plans, read_section, shown

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "coverage.md"
SAID = read_section(DOCUMENT.read_text())
CASES = tuple(every_case())

Trials = dict[str, Future[tuple[Trial, ...]]]


@pytest.fixture(scope="module")
def trials(request: pytest.FixtureRequest) -> Iterator[Trials]:
    chosen = [getattr(item, "callspec", None) for item in request.session.items]
    asked = {id(spec.params["case"]) for spec in chosen if spec and "case" in spec.params}
    with plans([case for case in CASES if id(case) in asked]) as begun:
        yield begun


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_tensorrt_builds_plans_of_a_block_for_both_capabilities(case: Case, trials: Trials) -> None:
    found = trials[case.name].result()
    assert [trial.capability for trial in found] == list(CAPABILITIES)
    assert [trial.why for trial in found] == ["", ""]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_all_of_a_block_is_for_the_gpu(case: Case) -> None:
    raw = graph(case)
    parts = split(raw)
    assert parts.host == b""
    assert parts.main == raw


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_document_lists_a_block_with_errors_that_are_allowed(case: Case) -> None:
    said = SAID[case.name]
    assert said.library == case.library
    assert said.bound == shown(case.bound, case.bound)
    assert said.built == ", ".join(CAPABILITIES)
    for figure in (said.in_numpy, said.in_graph):
        assert (0.0 if figure == "exact" else float(figure)) <= case.bound


def test_the_document_lists_no_block_that_is_gone() -> None:
    assert set(SAID) == {case.name for case in CASES}
    assert len(CASES) == len(SAID)


@pytest.mark.parametrize(
    ("error", "bound", "figure"),
    [
        (0.0, 0.0, "exact"),
        (0.0, 1e-6, "0"),
        (3e-15, 1e-6, "1e-08"),
        (1.01e-7, 1e-6, "2e-07"),
        (5e-7, 1e-6, "5e-07"),
        (5.1e-7, 1e-6, "1e-06"),
        (1.1e-7, 1.2e-7, "1.2e-07"),
        (1e-9, 0.0, "1e-08"),
        (1.3e-6, 1e-6, "2e-06"),
    ],
)
def test_an_error_is_shown_as_one_of_few_figures_and_never_too_small(
    error: float, bound: float, figure: str
) -> None:
    assert shown(error, bound) == figure
