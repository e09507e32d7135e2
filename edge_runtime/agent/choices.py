"""What the fleet is told of the ways to run a model that this device has measured."""

from pathlib import Path
from typing import NamedTuple

from edge_runtime.agent.rows import measured
from edge_runtime.agent.stamp import stamp
from edge_runtime.choice import record
from edge_runtime.telemetry.messages import CandidateReport


class _Known(NamedTuple):
    """Of one model: its bundle, where that one's record is, when it was read, and what it said."""

    digest: str
    path: Path
    stamp: tuple[int, ...]
    ways: tuple[CandidateReport, ...]


class Choices:
    """Follows the records of a store, which are written beside a running agent and by it."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._known: dict[str, _Known] = {}

    def look(self, model: str, digest: str) -> tuple[CandidateReport, ...]:
        """The table of the bundle `digest` as it is now; () where nothing was measured."""
        known = self._known.get(model)
        if known is None or known.digest != digest:
            known = _Known(digest, record.path_of(self._store, model, digest), (), ())
        if (now := stamp(known.path)) != known.stamp:
            found = record.read(known.path)
            known = _Known(digest, known.path, now, measured(found) if found else ())
        self._known[model] = known
        return known.ways
