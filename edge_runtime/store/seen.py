"""The newest time a store has seen while the clock was synchronized: `trust/seen`, one line of text.

Only a hint for `edge_runtime.clock`, so a damaged file counts as none and a full disk stops nothing.
"""

from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

from edge_runtime import durable
from edge_runtime.clock import Clock
from edge_runtime.errors import StorageError

NAME = "seen"
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_STEP = timedelta(days=1)  # SD cards wear: at most one write a day


def read(path: Path) -> datetime | None:
    """The recorded time, None where there is none that can be read."""
    try:
        with path.open("rb") as file:
            text = file.read(64).decode("ascii").strip()
        return datetime.strptime(text, _FORMAT).replace(tzinfo=timezone.utc)
    except (OSError, ValueError):
        return None


def record(path: Path, clock: Clock) -> None:
    """Keep what a synchronized clock says, if it is a day later than what is kept."""
    seen = read(path)
    if clock.synchronized and (seen is None or clock.now >= seen + _STEP):
        with suppress(StorageError):
            durable.replace_file(path, f"{clock.now.strftime(_FORMAT)}\n".encode())
