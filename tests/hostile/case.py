"""What one hostile case is, and how it is tried.

A case is a bundle, a root file or a folder that is canonical and properly signed except for one fault.
`make` builds it below a folder and returns the attempt: what a device would then do. The attempt must
end in exactly `error`, with a message that says `says`, and leave nothing behind.
"""

import hashlib
import os
import re
import resource
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import EdgeError

Attempt = Callable[[], object]
Make = Callable[[Path], Attempt]
MAX_SENTENCE = 1500
MAX_SECONDS = 20.0
MAX_GROWTH_BYTES = 256 << 20


@dataclass(frozen=True)
class Case:
    """One attack.

    Attributes:
        group: the kind of attack.
        name: unique in its group, as it appears in the names of tests.
        make: builds it below an empty folder; returns the attempt.
        refused_by: the rules that refuse it, `module.function: words of its message`, outermost first.
            Where several are named each alone would refuse it.
        says: a regular expression found in the message.
        error: the exact class that is raised.
        advisory: the advisory, CVE or issue it comes from; '' where there is none.
    """

    group: str
    name: str
    make: Make
    refused_by: tuple[str, ...]
    says: str
    error: type[EdgeError]
    advisory: str = ""

    @property
    def id(self) -> str:
        return f"{self.group}: {self.name}"


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: the error it raised, None where it got through, and what it cost."""

    error: BaseException | None
    seconds: float
    growth_bytes: int
    has_written: bool


def attempted(case: Case, folder: Path) -> Outcome:
    """Build a case below `folder`, try it and look at what it left."""
    attempt = case.make(folder)
    before, peak, started = _files(folder), _peak_bytes(), time.monotonic()
    error: BaseException | None = None
    try:
        attempt()
    except Exception as raised:  # noqa: BLE001 (which one it is, is the question)
        error = raised
    return Outcome(
        error, time.monotonic() - started, _peak_bytes() - peak, has_written=_files(folder) != before
    )


def faults(case: Case, outcome: Outcome) -> list[str]:
    """What is not as it must be; empty for a case that was refused as it should be."""
    error, found = outcome.error, []
    if error is None:
        return ["it got through"]
    text = str(error)
    if type(error) is not case.error:
        found.append(f"expected {case.error.__name__}, found {type(error).__name__}: {text}")
    if not re.search(case.says, text, re.DOTALL):
        found.append(f"expected a message that says {case.says!r}, found: {text}")
    if not is_sentence(text):
        found.append(f"expected one bounded line, found {len(text)} characters: {text[:300]!r}")
    if outcome.has_written:
        found.append("it wrote or changed files")
    if outcome.seconds > MAX_SECONDS:
        found.append(f"it took {outcome.seconds:.1f} s")
    if outcome.growth_bytes > MAX_GROWTH_BYTES:
        found.append(f"it took {outcome.growth_bytes >> 20} MiB of memory")
    return found


def is_sentence(text: str) -> bool:
    """Whether a message is one bounded line."""
    return "\n" not in text and "Traceback" not in text and len(text) <= MAX_SENTENCE


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _files(folder: Path) -> dict[str, str]:
    """Every name below a folder, with a digest of what a small regular file holds."""
    found = {}
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(parent, name)
            status = path.lstat()
            known = stat.S_ISREG(status.st_mode) and status.st_size < (1 << 22)
            content = hashlib.sha256(path.read_bytes()).hexdigest() if known else str(status.st_size)
            found[str(path.relative_to(folder))] = f"{stat.S_IFMT(status.st_mode)} {content}"
    return found
