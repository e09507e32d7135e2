"""What a Python process has allocated and not given back, as it says itself when it is asked.

Its resident memory tells less: that also counts what the allocators keep for later, and grows in steps
of megabytes with each new height of a queue.
"""

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from tests.support.waiting import wait_for

# Runs in the process before anything else. mallinfo2: glibc 2.33, mallinfo(3); of all its arenas.
_PROGRAM = """
import ctypes, gc, json, os, signal, sys
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in
                "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]
mallinfo = ctypes.CDLL(None).mallinfo2
mallinfo.restype = Info
def tell(*_):
    gc.collect()
    info, path = mallinfo(), os.path.join({folder!r}, str(os.getpid()))
    with open(path + ".new", "w") as file:
        json.dump([sys.getallocatedblocks(), info.uordblks + info.hblkhd], file)
    os.replace(path + ".new", path)
signal.signal(signal.SIGUSR2, tell)
"""


@dataclass(frozen=True)
class InUse:
    """`blocks`: Python's small ones, of up to 512 bytes each; `malloc_bytes`: all else."""

    blocks: int
    malloc_bytes: int


def telling(folder: Path) -> dict[str, str]:
    """What to add to a process's environment, so that `in_use` can ask it; `folder` is made."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_PROGRAM.format(folder=str(folder)))
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}


def in_use(pid: int, folder: Path) -> InUse:
    """Ask a process that was started so, whose main thread must come round."""
    told = folder / str(pid)
    told.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR2)
    wait_for(told.exists, "the process to tell what it has in use")
    return InUse(*json.loads(told.read_text()))
