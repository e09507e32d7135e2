"""docs/custom-steps.md: its examples run, and its lists are those of the code."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from converter.tracing.dispatch import FUNCTIONS, UFUNCS
from converter.tracing.tensor import METHODS, Tensor
from converter.tracing.trace import trace
from tests.converter.tracing.traced import check

PAGE = Path(__file__).parents[3] / "docs" / "custom-steps.md"
ROWS = np.abs(np.random.default_rng(0).normal(size=(6, 3))) + 0.1


def listed(row: str) -> list[str]:
    (found,) = re.findall(rf"^\| {row} \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    return re.findall(r"[\w.]+", found)


def test_the_lists_are_those_of_the_code() -> None:
    names = {ufunc.__name__ for ufunc in UFUNCS if getattr(np, ufunc.__name__, None) is ufunc}
    assert listed("ufuncs of numpy") == sorted(names)
    assert listed("of scipy.special") == sorted({ufunc.__name__ for ufunc in UFUNCS} - names)
    assert listed("functions") == sorted(
        {("linalg." if "linalg" in f.__module__ else "") + f.__name__ for f in FUNCTIONS}
    )
    assert listed("methods") == sorted({*METHODS, "astype", "copy", "flatten", "reshape", "transpose"})
    assert all(hasattr(Tensor, name) for name in listed("methods"))


def test_the_examples_convert() -> None:
    scope: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(block, scope)
    ratios = scope["Ratios"]().fit(ROWS)
    check(lambda x: trace(ratios.transform, x), ROWS, rtol=1e-14)
    check(lambda x: trace(scope["step"].func, x), ROWS, rtol=1e-14)
