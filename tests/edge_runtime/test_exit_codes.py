"""docs/exit-codes.md lists the exit codes there are: those of the error tree, and 0, 2, 70, 130."""

import re
from pathlib import Path

from edge_runtime import errors
from edge_runtime.errors import EdgeError

TEXT = (Path(__file__).parents[2] / "docs" / "exit-codes.md").read_text()
ROWS = re.findall(r"^\| (\d+) \| (\w*) ?\| (.*) \|$", TEXT, re.MULTILINE)
TREE = [
    error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, EdgeError)
]


def test_every_code_is_listed_once_in_order_and_no_other() -> None:
    expected = {error.exit_code for error in TREE} | {0, 2, 70, 130}

    assert [int(code) for code, _, _ in ROWS] == sorted(expected)


def test_every_error_stands_in_the_row_of_its_code() -> None:
    listed = {
        name: int(code)
        for code, main, text in ROWS
        for name in [main, *re.findall(r"\b\w+Error\b", text)]
        if name
    }

    assert listed == {error.__name__: error.exit_code for error in TREE}
