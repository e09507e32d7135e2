"""What a child process does to itself: it ends with whoever started it, and takes so much memory."""

import contextlib
import ctypes
import os
import resource
import signal

_PR_SET_PDEATHSIG = 1


def stay_tied_to(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends, of process `parent`."""
    with contextlib.suppress(OSError, AttributeError):  # not every libc has it
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it went before we could ask
        os._exit(0)


def limit_memory(max_bytes: int) -> None:
    """Let this process have at most so much memory of its own; what exceeds it fails to allocate.

    RLIMIT_DATA counts heap and anonymous mappings (Linux 4.7, getrlimit(2)), but no mapped libraries. A
    limit that is lower already stays.
    """
    _, hardest = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = max_bytes if hardest == resource.RLIM_INFINITY else min(max_bytes, hardest)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))


def most_allocated_bytes() -> int:
    """The most that this process has had of what `limit_memory` counts; 0 where the kernel does not say.

    It keeps no record of that, but of the most that was mapped: what was unmapped is taken for memory.
    """
    try:
        with open("/proc/self/status") as file:
            found = {name: value for name, _, value in (line.partition(":") for line in file)}
        now, mapped, peak = (int(found[name].split()[0]) for name in ("VmData", "VmSize", "VmPeak"))
    except (OSError, KeyError, ValueError, IndexError):
        return 0
    return (now + peak - mapped) << 10
