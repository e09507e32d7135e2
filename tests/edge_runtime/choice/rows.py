"""Rows of a table of candidates, for tests."""

from edge_runtime.choice.decision import Measured, chosen
from edge_runtime.choice.key import key_of
from edge_runtime.choice.record import Record
from edge_runtime.engine.candidate import Candidate


def row(name: str, p50_us: float | None = None, *, why_not: str = "", provider: str = "cpu") -> Measured:
    """A candidate that took so long, or why it cannot serve."""
    return Measured(
        candidate=Candidate(name, provider),
        why_not=why_not,
        p50_us=p50_us,
        p99_9_us=p50_us and 2 * p50_us,
        memory_mb=p50_us and 40.0,
        allocated_mb=p50_us and 50.0,
    )


def recorded(*rows: Measured, digest: str = "ab" * 32) -> Record:
    """What this machine has recorded of them."""
    found = chosen(rows)
    assert found is not None
    return Record(digest=digest, key=key_of(), rows=rows, chosen=found)
