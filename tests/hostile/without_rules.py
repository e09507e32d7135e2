"""Takes the rules of a case out and tries it again: it must not end as it should any more."""

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from edge_runtime.errors import EdgeError
from tests.hostile.case import Case, Outcome, attempted, faults
from tests.hostile.rules import taken_out

MAX_SECONDS = 5


class Ending(Enum):
    """How a case ends without its rules."""

    TAKEN = "gets through"
    OTHERWISE = "another layer refuses it"
    CRASHES = "it never ends, or in an exception that nobody expects"
    SAME = "is refused as before"


@dataclass(frozen=True)
class Trial:
    """One case without its rules."""

    case: Case
    ending: Ending


def tried_without(case: Case) -> Trial:
    """Try a case without the rules it names."""
    with taken_out(case.refused_by), tempfile.TemporaryDirectory() as folder, _bounded():
        outcome = attempted(case, Path(folder))
    return Trial(case, _ending(case, outcome))


@contextmanager
def _bounded() -> Iterator[None]:
    """A rule that is gone may be the one that ends a loop: then TimeoutError is raised in it."""

    def interrupt(*_: object) -> None:
        raise TimeoutError(f"it did not end within {MAX_SECONDS} s")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(MAX_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _ending(case: Case, outcome: Outcome) -> Ending:
    if outcome.error is None:
        return Ending.TAKEN
    if not isinstance(outcome.error, EdgeError):
        return Ending.CRASHES
    return Ending.OTHERWISE if faults(case, outcome) else Ending.SAME
