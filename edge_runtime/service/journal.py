"""Whether a stream goes to systemd's journal, and how a line tells it its level (sd-daemon(3))."""

import enum
import os
import sys
from collections.abc import Mapping
from contextlib import suppress


class Level(enum.IntEnum):
    """The numbers of syslog(3): the lower, the worse."""

    ERROR = 3
    WARNING = 4
    INFO = 6
    DEBUG = 7

    @classmethod
    def named(cls, name: str) -> "Level":
        return cls[name.upper()]

    @property
    def word(self) -> str:
        return self.name.lower()


def goes_to_journal(descriptor: int, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether `descriptor` is the very stream that JOURNAL_STREAM names (systemd.exec(5)).

    The variable alone is no proof: our output may have been sent to a file since.
    """
    named = environment.get("JOURNAL_STREAM", "")
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return bool(named) and named == f"{found.st_dev}:{found.st_ino}"


def prefix(level: Level) -> str:
    return f"<{level.value}>"


def prefix_here(level: Level) -> str:
    """What a line on standard error has to begin with; '' where that is not the journal, or is gone."""
    with suppress(OSError, ValueError, AttributeError):
        if goes_to_journal(sys.stderr.fileno()):
            return prefix(level)
    return ""
