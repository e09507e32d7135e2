"""Times of several models side by side."""

import time
from itertools import groupby

import numpy as np
import pytest

from converter.timing import one_row_us, time_ratios

pytestmark = pytest.mark.alone

ROWS = [np.full((1, 1), i) for i in range(3)]


def test_the_slower_model_takes_longer_by_about_as_much_as_it_does() -> None:
    quick, slow = one_row_us([(lambda _: time.sleep(0.001), ROWS), (lambda _: time.sleep(0.003), ROWS)])
    assert 1000 <= quick < slow
    assert slow >= 3000


def test_ratios_are_over_the_first() -> None:
    first, same, slow = time_ratios(
        [(lambda _, s=seconds: time.sleep(s), ROWS) for seconds in (0.001, 0.001, 0.004)]
    )
    assert first == 1.0
    assert 0.5 < same < 2
    assert slow > 2


def test_models_take_turns_and_every_row_has_its_own() -> None:
    asked: list[tuple[str, int]] = []

    def model(name: str) -> object:
        def predict(row: np.ndarray) -> None:
            asked.append((name, int(row[0, 0])))
            time.sleep(0.004)

        return predict

    one_row_us([(model("a"), ROWS), (model("b"), ROWS)])
    turns = [(name, len(list(group))) for name, group in groupby(name for name, _ in asked)]
    assert [name for name, _ in turns] == ["a", "b"] * 24
    assert min(count for _, count in turns) >= 4
    assert [row for name, row in asked if name == "a"][:6] == [0, 1, 2, 0, 1, 2]
