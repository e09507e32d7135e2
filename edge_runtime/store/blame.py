"""What an error says of what was tried: is the bundle bad, or its copy, or only the machine?

What was confirmed here once is not given up for what may be the machine's fault, and the last one is
kept whatever it does: a library that was upgraded under it can be mended, and then it runs again.
"""

from typing import Literal

from edge_runtime.errors import (
    BundleError,
    EdgeError,
    EngineError,
    StorageError,
    StoreBusyError,
    UnavailableError,
    UnreadableError,
    WorkerError,
)
from edge_runtime.store.slots import ModelState

# reject     it is bad here, and remembered by its digest
# withdraw   this copy of it is damaged; the same bundle may be installed again
# attempt    this attempt failed; those that are left decide
# stay       what is active stays so; the request to go back to this slot is given up
# wait       nothing is decided: try again later
Decision = Literal["reject", "withdraw", "attempt", "stay", "wait"]


def decide(error: EdgeError, now: ModelState, digest: str) -> Decision:
    """What to do about the slot that raised `error` when it was loaded or gave its golden outputs."""
    was_good = now.slots[digest].state == "good"
    if isinstance(error, UnavailableError | UnreadableError):
        return "wait"
    if isinstance(error, BundleError):
        return "withdraw"
    if isinstance(error, EngineError):
        others = {now.active, now.previous, *now.older} - {None, digest}
        return "reject" if others or not was_good else "wait"
    if isinstance(error, WorkerError) and not was_good:
        return "attempt"
    if isinstance(error, WorkerError) and now.active not in (None, digest):
        return "stay"
    return "wait"


def may_pass(error: EdgeError) -> bool:
    """Whether a bundle that could not be installed may be by and by, as it is.

    So it is where the system said no, say for want of a file or of room, or another process is in the
    way; else it was refused for its own sake.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError | StorageError | StoreBusyError):
        cause = cause.__cause__
    return cause is not None
