"""Models that other processes run on this machine: an agent's, or those that a command measures."""

from contextlib import suppress
from pathlib import Path

_WORKER = b"\0-m\0edge_runtime.worker\0"


def told() -> str:
    """A sentence on the workers that run now, of whatever store and user; '' where none is seen."""
    pids = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            if _WORKER in path.read_bytes():
                pids.append(int(path.parent.name))
    if not pids:
        return ""
    named = ", ".join(map(str, sorted(pids)))
    return (
        f"an agent or another command runs models on this machine (process {named}): what is measured "
        "beside them may take too long. Stop them first."
    )
