"""Every scikit-learn estimator, converted and compared: what docs/coverage.md says cannot rot."""

from pathlib import Path

import pytest

from tests.converter.coverage import Outcome, judge, read_document
from tests.converter.every_estimator import Problem, every_estimator

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "coverage.md"
AGREES = read_document(DOCUMENT.read_text())
PROBLEMS = tuple(every_estimator())


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_an_estimator_agrees_or_is_refused_by_a_clear_sentence(problem: Problem) -> None:
    row = judge(problem, count=200)
    for role, outcome in row.outcomes.items():
        assert outcome.verdict in ("agrees", "refuses", "-"), outcome.text
        if (problem.name, role) in AGREES:
            assert outcome.verdict == "agrees", outcome.text
        if outcome.verdict == "refuses":
            assert_clear(outcome, problem.name)


def assert_clear(outcome: Outcome, name: str) -> None:
    """It says what it is about, in less than a paragraph, and it is not a dump of a traceback."""
    assert name in outcome.text or outcome.text.startswith("inputs: expected"), outcome.text
    assert len(outcome.text) < 450
    assert "Traceback" not in outcome.text


def test_the_document_names_every_estimator() -> None:
    text = DOCUMENT.read_text()
    assert [p.name for p in PROBLEMS if f"| {p.name} | " not in text] == []
    assert len({name for name, _ in AGREES}) > 165
