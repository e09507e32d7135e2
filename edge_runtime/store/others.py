"""Models that other processes run on this machine: an agent's, or those that a command measures."""

import re
from contextlib import suppress
from pathlib import Path

_WORKER = b"\0-m\0edge_runtime.worker\0"
_PARENT = re.compile(r"^PPid:\s*(\d+)$", re.MULTILINE)


def told() -> str:
    """A sentence on who has workers now, of whatever store and user; '' where none is seen."""
    owners = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):  # it has ended
            if _WORKER in (process / "cmdline").read_bytes():
                owners.add(int(_PARENT.findall((process / "status").read_text())[0]))
    if not owners:
        return ""
    named = ", ".join(map(str, sorted(owners)))
    return (
        f"an agent or another command runs models on this machine (process {named}): what is measured "
        "beside them may take too long. Stop them first."
    )
