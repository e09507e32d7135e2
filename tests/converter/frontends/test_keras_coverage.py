"""All 76 cases, converted and compared: what docs/coverage-keras.md says cannot rot."""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.converter.frontends.tensorflow.cases import CASES
from tests.converter.frontends.tensorflow.judging import Outcome, judge, prepare
from tests.converter.frontends.tensorflow.page import read_document

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "coverage-keras.md"
SAID = read_document(DOCUMENT.read_text())
NAMES = tuple(case.name for case in CASES)

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Outcome]]]:
    """In a few processes at once, those that this run asks about, the long ones first."""
    chosen = [getattr(item, "callspec", None) for item in request.session.items]
    names = [spec.params["name"] for spec in chosen if spec and spec.params.get("name") in NAMES]
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), initializer=prepare) as pool:
        yield {name: pool.submit(judge, name) for name in reversed(dict.fromkeys(names))}


@pytest.mark.parametrize("name", NAMES)
def test_a_case_is_what_the_document_says(name: str, outcomes: dict[str, Future[Outcome]]) -> None:
    outcome = outcomes[name].result()
    assert outcome.verdict == SAID[name], outcome.text
    if outcome.verdict == "refuses":
        assert outcome.text.endswith(".")
        assert len(outcome.text) < 300


def test_72_of_the_76_cases_agree_and_the_rest_are_refused() -> None:
    assert list(SAID) == list(NAMES)
    assert len(NAMES) == 76
    assert sum(verdict == "agrees" for verdict in SAID.values()) >= 72
    assert set(SAID.values()) <= {"agrees", "refuses"}
