"""Hypothesis looks at new examples on every run, except in CI, where a run must be repeatable.

No example has a deadline: how long one takes is the machine's matter.
"""

import os

import pytest
from hypothesis import settings

settings.register_profile("ours", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "ours")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest goes first: of several processes none has it left to do at the end."""
    items.sort(key=lambda item: item.path.parent.name != "end_to_end")
