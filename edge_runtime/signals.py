"""How a process is told to end: SIGTERM from a service manager, SIGINT and SIGHUP from a terminal."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """SIGTERM and SIGINT become a question the main loop asks, so that it ends between two turns."""
    # No Event: a handler that interrupts its own thread inside `wait` would find the lock taken.
    seen: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        seen.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(seen)
    finally:
        for number, action in before.items():
            signal.signal(number, action)


@contextmanager
def ended_as_by_ctrl_c() -> Iterator[None]:
    """SIGTERM, and SIGHUP when a terminal or a connection goes, become a KeyboardInterrupt.

    One that is ignored stays so: who began with nohup goes on.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    ends = (signal.SIGTERM, signal.SIGHUP)
    default = [number for number in ends if signal.getsignal(number) == signal.SIG_DFL]
    for number in default:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in default:
            signal.signal(number, signal.SIG_DFL)
