"""The error tree is what its docstring draws."""

import re

from edge_runtime import errors
from edge_runtime.errors import EdgeError


def _all_errors() -> list[type[EdgeError]]:
    found = [EdgeError]
    for error in found:
        found.extend(error.__subclasses__())
    return [error for error in found if error.__module__ == errors.__name__]


def test_the_docstring_draws_every_error_of_the_module() -> None:
    drawn = re.findall(r"\b(\w+Error)\b", (errors.__doc__ or "").split("The numbers are")[0])

    assert sorted(drawn) == sorted(error.__name__ for error in _all_errors())


def test_the_docstring_gives_each_branch_its_exit_code() -> None:
    drawn = dict(re.findall(r"(\w+Error) +(\d+)", errors.__doc__ or ""))

    assert drawn == {
        error.__name__: str(error.exit_code) for error in _all_errors() if "exit_code" in vars(error)
    }


def test_no_two_branches_share_an_exit_code() -> None:
    codes = [error.exit_code for error in _all_errors() if "exit_code" in vars(error)]

    assert len(codes) == len(set(codes))
    assert not set(codes) & {0, 2, 70, 130}
