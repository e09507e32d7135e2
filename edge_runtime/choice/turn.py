"""One model is measured at a time in a process: an agent tries several at once, on the same cores.

Commands take turns by the store's lock, and wait for an agent.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_MEASURING = threading.Lock()
_LOOK_S = 0.1


@contextmanager
def in_turn(wait_s: float, check: Callable[[], None], tell: Callable[[str], None]) -> Iterator[None]:
    """Measure in here: after what another thread measures, or beside it where that takes too long.

    `check` is called while this waits, and raises to give up; `tell` hears of both.
    """
    mine = _MEASURING.acquire(blocking=False)
    if not mine:
        tell("waits until another model is measured")
        mine = _waited(wait_s, check)
        if not mine:
            tell(
                f"is measured beside another model, which takes more than {wait_s:g} s: their times may "
                "be too long"
            )
    try:
        yield
    finally:
        if mine:
            _MEASURING.release()


def _waited(wait_s: float, check: Callable[[], None]) -> bool:
    """Whether it is this thread's turn by the end of the wait."""
    until = time.monotonic() + wait_s
    while not _MEASURING.acquire(timeout=_LOOK_S):
        check()
        if time.monotonic() >= until:
            return False
    return True
