"""How a process is told to end, by a service manager or from a terminal; what handlers of signals raise.

`signal` is imported where it is needed: a cold start need not wait a millisecond for it.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import CodeType, FrameType, FunctionType, MethodType

_MAX_CAUSES = 16


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """SIGTERM and SIGINT become a question the main loop asks, so that it ends between two turns."""
    import signal

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
    import signal

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


def raise_if_a_handlers(error: BaseException) -> None:
    """Raise what a handler of signals raised, if that is what `error` is, or was made of.

    To be asked before an error is blamed on what ran: Python calls a handler wherever its main thread
    is, and what it raises is for whoever installed it. It is known by the handler's code in its
    traceback, so not where that is no Python, or has put another in its place. `__context__` is not
    followed: what is raised while an older error is dealt with was not made of it.
    """
    if (signal := sys.modules.get("signal")) is None:
        return  # nobody has set a handler; and where no more files may be open, an import fails
    try:
        codes = [_code(signal.getsignal(number)) for number in signal.valid_signals()]
        handlers = [code for code in codes if code is not None]
    except MemoryError:  # as `error` will be, which is still to be told
        return
    found: BaseException | None = error
    for _ in range(_MAX_CAUSES if handlers else 0):
        if found is None:
            return
        if _went_through(found, handlers):
            context = found.__context__
            try:
                raise found
            finally:
                found.__context__ = context  # not the error that was made of it
        found = found.__cause__


def _went_through(error: BaseException, codes: list[CodeType]) -> bool:
    trace = error.__traceback__
    while trace is not None:
        if any(trace.tb_frame.f_code is code for code in codes):
            return True
        trace = trace.tb_next
    return False


def _code(handler: object) -> CodeType | None:
    """What Python runs when it calls a handler; None where that is no Python, as of SIG_DFL."""
    if isinstance(handler, partial):
        return _code(handler.func)
    if isinstance(handler, MethodType):
        return _code(handler.__func__)
    if isinstance(handler, FunctionType):
        return handler.__code__
    called = type(handler).__call__ if callable(handler) else None
    return called.__code__ if isinstance(called, FunctionType) else None
