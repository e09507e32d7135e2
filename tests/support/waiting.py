"""Waiting for a condition with a deadline, in place of a sleep that hopes."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
# Only a test that fails waits so long; and less than the 60 s after which much is tried again by itself.
DEADLINE_S = 40.0


def wait_for(condition: Callable[[], Found], what: str, deadline_s: float = DEADLINE_S) -> Found:
    """The condition's first true value."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.005)
    raise AssertionError(f"waited {deadline_s} s in vain for {what}")
