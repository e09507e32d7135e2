"""What a child process does to itself, its end and its memory, and how one ended."""

import contextlib
import ctypes
import os
import resource
import signal
from collections.abc import Iterator, Sequence

from edge_runtime.memory import return_freed_memory

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
    now, hardest = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = max_bytes if now == resource.RLIM_INFINITY else min(max_bytes, now)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, hardest))


def lift_memory_limit() -> None:
    """Undo `limit_memory`, for a process whose last work is to say what was refused."""
    _, hardest = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hardest, hardest))


@contextlib.contextmanager
def beside_limit() -> Iterator[None]:
    """Have what is allocated in here, and kept, not count for `limit_memory`."""
    limit, hardest = resource.getrlimit(resource.RLIMIT_DATA)
    before = allocated_bytes()
    resource.setrlimit(resource.RLIMIT_DATA, (hardest, hardest))
    try:
        yield
    finally:
        if limit != resource.RLIM_INFINITY:
            return_freed_memory()
            limit += max(0, allocated_bytes() - before)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hardest))


def allocated_bytes() -> int:
    """What `limit_memory` counts of this process now; 0 where the kernel does not say."""
    (now,) = _status_bytes("VmData")
    return now


def peak_bytes() -> int:
    """The most of this process that was resident; 0 where the kernel does not say."""
    (peak,) = _status_bytes("VmHWM")
    return peak


def most_allocated_bytes() -> int:
    """The most that this process has had of what `limit_memory` counts; 0 where the kernel does not say.

    It keeps no record of that, but of the most that was mapped: what was unmapped is taken for memory.
    """
    now, mapped, peak = _status_bytes("VmData", "VmSize", "VmPeak")
    return now + peak - mapped


def most_used_bytes() -> int:
    """The most that this process has used of what `limit_memory` counts; 0 where nothing tells.

    It keeps no record of that, but of the most that was mapped and of the most that was resident. What
    was given back since is at most either difference: a thread maps more than it uses, and what is
    resident may be a file's. What was allocated, never used and given back is not seen.
    """
    now, mapped, most_mapped, resident, most_resident = _status_bytes(
        "VmData", "VmSize", "VmPeak", "VmRSS", "VmHWM"
    )
    return now + min(most_mapped - mapped, most_resident - resident)


def ending(status: int) -> str:
    """How a process of this exit status, as of `subprocess`, ended: to follow its name."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:  # a real-time signal
        return f"was ended by signal {-status}"


def _status_bytes(*names: str) -> Sequence[int]:
    """What the kernel says of this process's memory by these names; zeros where it does not."""
    try:
        with open("/proc/self/status") as file:
            found = {name: value for name, _, value in (line.partition(":") for line in file)}
        return [int(found[name].split()[0]) << 10 for name in names]
    except (OSError, KeyError, ValueError, IndexError):
        return [0] * len(names)
