"""What the agent tells the person who watches it: one line a thing, on standard error."""

import contextlib
import logging
import os
import sys
from datetime import datetime


def say(text: str) -> None:
    """Write one line with the local time; a standard error that is gone is no reason to stop."""
    stamp = datetime.now().astimezone().isoformat(sep=" ", timespec="milliseconds")[:23]
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{stamp} {' '.join(text.split())}\n")
        sys.stderr.flush()


class SayingHandler(logging.Handler):
    """Log records as lines like all others; tracebacks only under EDGE_RUNTIME_DEBUG."""

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        say(record.getMessage() + (f" ({type(cause).__name__}: {cause})" if cause else ""))
        if cause and os.environ.get("EDGE_RUNTIME_DEBUG"):
            import traceback

            traceback.print_exception(cause)


def install_logging() -> None:
    """Let what libraries and our own modules log be said, warnings and worse."""
    logging.basicConfig(handlers=[SayingHandler()], level=logging.WARNING, force=True)
