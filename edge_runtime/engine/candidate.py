"""One way to run a model on a machine: a variant of its bundle, and what the engine runs that on."""

from collections.abc import Mapping

import msgspec

from edge_runtime.engine.words import together
from edge_runtime.errors import EngineError, UnavailableError, WorkerError


class Candidate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`provider`: one that the variant's engine names, '' for the way it takes by itself."""

    variant: str
    provider: str = ""

    def __str__(self) -> str:
        return f"{self.variant} on {self.provider}" if self.provider else self.variant


def none_runs(
    subject: str, reasons: Mapping[Candidate, EngineError | WorkerError]
) -> EngineError | WorkerError:
    """What is raised when no candidate could be taken: of one its own error, of several the kindest.

    Where a process died, or this machine lacks what all of them need, the bundle may be fine (ADR 0027).
    """
    errors = reasons.values()
    if len(errors) == 1:
        return next(iter(errors))
    kind: type[EngineError] | type[WorkerError] = EngineError
    if any(isinstance(each, WorkerError) for each in errors):
        kind = WorkerError
    elif all(isinstance(each, UnavailableError) for each in errors):
        kind = UnavailableError
    told = {each: _without(subject, str(error)) for each, error in reasons.items()}
    return kind(f"{subject}: no variant can run here: {together(told)}.")


def _without(subject: str, why: str) -> str:
    """A reason without the bundle and file that it begins with: the candidate stands before it."""
    return why.partition(": ")[2] if why.startswith((f"{subject}: ", f"{subject}, ")) else why
