"""Hypothesis looks at new examples on every run, except in CI, where a run must be repeatable.

No example has a deadline: how long one takes is the machine's matter.
"""

import os
import sys
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import settings

from tests.support.coverage_files import half_written

_LEFT_OUT = pytest.StashKey[int]()

settings.register_profile("ours", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "ours")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest goes first: of several processes none has it left to do at the end."""
    items.sort(key=lambda item: item.path.parent.name != "end_to_end")


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Before coverage combines its files: of one that it can make nothing of it warns, and keeps it."""
    result = yield
    coverage = sys.modules.get("coverage")  # the suite also runs where nobody measures it
    measured = coverage.Coverage.current() if coverage else None
    if measured is not None and not hasattr(session.config, "workerinput"):
        data_file = session.config.rootpath / str(measured.get_option("run:data_file"))
        useless = list(half_written(data_file))
        session.config.stash[_LEFT_OUT] = len(useless)
        for path in useless:
            path.unlink()
    return result


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if count := terminalreporter.config.stash.get(_LEFT_OUT, 0):
        terminalreporter.write_line(
            f"coverage: left out {count:,} files that killed processes were writing"
        )
