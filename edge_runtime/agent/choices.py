"""What the fleet is told of the ways to run a model that this device has measured."""

from pathlib import Path

from edge_runtime.agent.rows import measured
from edge_runtime.agent.stamp import stamp
from edge_runtime.choice import record
from edge_runtime.telemetry.messages import CandidateReport


class Choices:
    """Follows the records of a store, which are written beside a running agent and by it."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._known: dict[str, tuple[Path, tuple[int, ...], tuple[CandidateReport, ...]]] = {}

    def look(self, model: str, digest: str) -> tuple[CandidateReport, ...]:
        """The table of the bundle `digest` as it is now; () where nothing was measured."""
        path = record.path_of(self._store, model, digest)
        now = stamp(path)
        if self._known.get(model, ())[:2] != (path, now):
            found = record.read(path)
            self._known[model] = path, now, measured(found) if found else ()
        return self._known[model][2]
