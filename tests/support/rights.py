"""The right to real-time priorities: whether this process has it, and programs that have it not.

`python rights.py PROGRAM …` runs a program, and all it starts, without that right.
"""

import ctypes
import os
import resource
import sys
from pathlib import Path

FIFO = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
WITHOUT = (sys.executable, __file__)
_CAP_SYS_NICE, _PR_CAPBSET_DROP = 23, 24


def may_raise(priority: int = 10) -> bool:
    """Whether this process has the right, by what the kernel says of it."""
    status = Path("/proc/self/status").read_text().splitlines()
    effective = next(int(line.split()[1], 16) for line in status if line.startswith("CapEff"))
    limit = resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
    return bool(effective >> _CAP_SYS_NICE & 1) or not 0 <= limit < priority


def classes(pid: int) -> dict[int, int]:
    """The scheduling class of each thread of a process, by its number; the main thread's is `pid`."""
    return {
        int(task.name): os.sched_getscheduler(int(task.name))
        for task in Path(f"/proc/{pid}/task").iterdir()
    }


def main() -> None:
    resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
    ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, _CAP_SYS_NICE, 0, 0, 0)
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
