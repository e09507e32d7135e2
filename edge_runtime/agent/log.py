"""What the agent tells the person who watches it: one line an event, on standard error.

In systemd's journal a line begins with its level as `<3>`, and has no time of its own; anywhere else it
begins with the local time and a word.
"""

import contextlib
import logging
import os
import sys
from collections import deque
from collections.abc import Callable
from datetime import datetime

from edge_runtime.bundle.layout import plain
from edge_runtime.service.journal import Level, prefix_here

_LINES = 32  # that are remembered: of a library there may be several to each try
_FOREIGN = {logging.ERROR: Level.ERROR, logging.WARNING: Level.WARNING, logging.INFO: Level.INFO}
_DEPTH = {Level.ERROR: logging.ERROR, Level.DEBUG: logging.DEBUG}


class Log:
    """Writes lines up to a level; the agent has one, because its process has one standard error."""

    def __init__(self) -> None:
        self.level = Level.INFO

    def say(self, text: str, level: Level = Level.INFO) -> None:
        """Write one line; a standard error that is gone is no reason to stop.

        What a terminal would act on is escaped: much of it was said by models, brokers and libraries.
        """
        if level > self.level:
            return
        line = " ".join(text.split())
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"{_beginning(level)}{plain(line, len(line))}\n")
            sys.stderr.flush()


_LOG = Log()
say = _LOG.say


def alert(text: str) -> None:
    """Something does not work, and somebody has to do something about it."""
    say(text, Level.ERROR)


def warn(text: str) -> None:
    """Something was lost or may be wrong; the agent goes on by itself."""
    say(text, Level.WARNING)


class Once:
    """Hands a line on unless it is among the last: what is tried for years is told once, not each time.

    Lines that differ by a number are two: a plan that is built tells so how far it is.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._last = deque[str](maxlen=_LINES)

    def __call__(self, line: str) -> None:
        if line not in self._last:
            self._last.append(line)
            self._say(line)


class SayingHandler(logging.Handler):
    """Log records as lines like all others; tracebacks only under EDGE_RUNTIME_DEBUG."""

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        level = _FOREIGN.get(min(record.levelno, logging.ERROR), Level.DEBUG)
        say(record.getMessage() + (f" ({type(cause).__name__}: {cause})" if cause else ""), level)
        if cause and os.environ.get("EDGE_RUNTIME_DEBUG"):
            import traceback

            traceback.print_exception(cause)


def install_logging(level: Level = Level.INFO) -> None:
    """Say what is as bad as `level` or worse, and what libraries log: warnings, or more for DEBUG."""
    _LOG.level = level
    depth = _DEPTH.get(level, logging.WARNING)
    logging.basicConfig(handlers=[SayingHandler()], level=depth, force=True)


def _beginning(level: Level) -> str:
    if marked := prefix_here(level):
        return marked
    stamp = datetime.now().astimezone().isoformat(sep=" ", timespec="milliseconds")[:23]
    return f"{stamp} {level.word:<7} "
