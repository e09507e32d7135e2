"""A conversion's report fits a terminal: short lines, and later lines of a fact under its first."""

from typing import Any

import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import converter

ROWS, SPECIES = load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def bundle() -> Any:
    model = LogisticRegression(max_iter=1000).fit(ROWS[::2], SPECIES[::2])
    return converter.convert(
        model,
        ROWS[1::2],
        SPECIES[1::2],
        name="iris",
        version="1.0.0",
        quantize=True,
        boards=["x86-64", "orin-nano"],
    )


def test_no_line_is_wider_than_105_columns(bundle: Any) -> None:
    assert bundle.tried
    assert max(len(line) for line in bundle.report().splitlines()) <= 105


def test_a_fact_goes_on_below_its_first_word_and_nothing_of_it_is_lost(bundle: Any) -> None:
    facts = bundle.report().split("\n\n")[0]
    goes_on = [line for line in facts.splitlines() if line.startswith(" ")]
    assert goes_on
    assert all(line.startswith(" " * 9) and line[9] != " " for line in goes_on)
    assert all(note in " ".join(facts.split()) for note in bundle.notes)


def test_a_word_is_never_broken_however_long_it_is(bundle: Any) -> None:
    word = "/a-folder" * 20
    assert word in converter.report.report(bundle.manifest, [f"it is in {word}"]).split()
