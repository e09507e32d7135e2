"""A handler of signals that raises, and a signal that comes when it is told to."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# One that a process without a handler passes over.
NUMBER = signal.SIGURG


@contextmanager
def handler_that_raises(error: Exception) -> Iterator[None]:
    """Installed for NUMBER meanwhile."""

    def handler(_number: int, _frame: FrameType | None) -> None:
        raise error

    before = signal.signal(NUMBER, handler)
    try:
        yield
    finally:
        signal.signal(NUMBER, before)


@contextmanager
def signal_when_called(name: str) -> Iterator[None]:
    """NUMBER comes as a function of this name is called, once where its handler raises."""

    def as_it_is_called(frame: FrameType, event: str, called: Any) -> None:
        names = {"call": frame.f_code.co_name, "c_call": getattr(called, "__name__", "")}
        if names.get(event) == name:
            signal.raise_signal(NUMBER)

    sys.setprofile(as_it_is_called)
    try:
        yield
    finally:
        sys.setprofile(None)
