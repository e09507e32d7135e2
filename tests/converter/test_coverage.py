"""Every scikit-learn estimator, converted and compared: what docs/coverage.md says cannot rot."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.converter.coverage import ROLES
from tests.converter.coverage_page import COLUMNS, cells, has_variant, is_worse, read_document
from tests.converter.coverage_pool import Judges
from tests.converter.every_estimator import every_estimator

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "coverage.md"
SAID = read_document(DOCUMENT.read_text())
NAMES = tuple(problem.name for problem in every_estimator())


@pytest.fixture(scope="module")
def judges(request: pytest.FixtureRequest) -> Iterator[Judges]:
    chosen = [getattr(item, "callspec", None) for item in request.session.items]
    names = [spec.params["name"] for spec in chosen if spec and spec.params.get("name") in NAMES]
    with Judges(200, names, strict=True) as started:
        yield started


@pytest.mark.parametrize("name", NAMES)
def test_an_estimator_agrees_or_is_refused_by_a_clear_sentence(name: str, judges: Judges) -> None:
    row = judges.row(name)
    for role in ROLES:
        outcome = row.outcomes[role]
        assert outcome.verdict in ("agrees", "refuses", "-"), outcome.text
        if outcome.verdict == "refuses":
            assert name in outcome.text or outcome.text.startswith("inputs: expected")
            assert_clear(outcome.text)


@pytest.mark.parametrize("name", NAMES)
def test_a_variant_for_tensorrt_agrees_or_the_report_says_why_there_is_none(
    name: str, judges: Judges
) -> None:
    row = judges.row(name)
    assert row.lowered.verdict in ("agrees", "none", "refuses"), row.lowered.text
    if row.lowered.verdict == "none":
        assert_clear(row.lowered.text)
    for why in row.refusals.values():
        assert not why, why


@pytest.mark.parametrize("name", NAMES)
def test_an_estimator_is_no_worse_than_the_document_says(name: str, judges: Judges) -> None:
    row = judges.row(name)
    found, said = cells(row), SAID[name]
    assert [column for column in COLUMNS if is_worse(column, found[column], said[column])] == []


def test_120_estimators_agree_lowered_and_plans_are_built_for_both_capabilities(judges: Judges) -> None:
    rows = [judges.row(name) for name in NAMES]
    assert sum(has_variant(row) for row in rows) >= 120


def assert_clear(text: str) -> None:
    """One sentence or a few, less than a paragraph, and not a dump of a traceback."""
    assert 20 < len(text) < 450
    assert text.endswith(".")
    assert "Traceback" not in text


def test_the_document_names_every_estimator() -> None:
    assert [name for name in NAMES if name not in SAID] == []
    assert sum(said["float32"].startswith("agrees") for said in SAID.values()) > 165
    assert sum(said["TensorRT"] == "8.6, 12.0" for said in SAID.values()) >= 120
