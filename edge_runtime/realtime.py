"""Real-time mode: the thread that predicts runs before all ordinary work, with no garbage collection.

    with realtime() as mode:
        while True:
            model.predict(sensor.wait())
            mode.collect()

The kernel's class SCHED_FIFO lets a thread run until it waits (sched(7)). So one that never waits
starves the machine, and is itself stopped for 50 ms of each second (`sched_rt_runtime_us`): wait for a
sensor or a clock in between. Keep other work out of the process: a busy thread of Python holds up the
one that predicts for milliseconds, whatever their priorities, as they take turns with the interpreter.
"""

import gc
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from edge_runtime.errors import ConfigError

DEFAULT_PRIORITY = 10
LOWEST_PRIORITY, HIGHEST_PRIORITY = 1, 99
_ALL_EVERY = 1024  # collections of what is youngest until all is looked at


class RealTime:
    """What was obtained for a thread. `missing` says in a sentence what was not, '' for nothing."""

    def __init__(self, missing: str) -> None:
        self.missing = missing
        self._collections = 0

    def collect(self) -> None:
        """Collect garbage now, where a few microseconds do no harm: after an answer was given.

        What was made since the last call is looked at; now and then all that was made since the start
        of the mode, which takes a millisecond or so.
        """
        self._collections += 1
        gc.collect(0 if self._collections % _ALL_EVERY else 2)


@contextmanager
def realtime(priority: int = DEFAULT_PRIORITY) -> Iterator[RealTime]:
    """Put the calling thread into SCHED_FIFO, and leave garbage to `RealTime.collect`, until the end.

    Threads and processes that are started meanwhile are ordinary ones. Where the privilege is missing
    only garbage is dealt with; `missing` says so, and nothing is raised. One thread of a process at a
    time: collection is off for all of it.

    Args:
        priority: 1 to 99 among real-time threads; interrupt handlers of a PREEMPT_RT kernel have 50.

    Raises ConfigError for another priority.
    """
    if not LOWEST_PRIORITY <= priority <= HIGHEST_PRIORITY:
        raise ConfigError(
            f"priority of real-time mode: expected {LOWEST_PRIORITY} to {HIGHEST_PRIORITY}, found "
            f"{priority}."
        )
    before, param = os.sched_getscheduler(0), os.sched_getparam(0)
    missing = _raised(priority)
    collects = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield RealTime(missing)
    finally:
        if collects:
            gc.enable()
        gc.unfreeze()
        if not missing:
            # Only a privileged thread may have its children inherit again what it has itself.
            with suppress(PermissionError):
                os.sched_setscheduler(0, before | os.SCHED_RESET_ON_FORK, param)
                os.sched_setscheduler(0, before, param)


def _raised(priority: int) -> str:
    """Raise the calling thread; why that cannot be, in a sentence, '' where it could."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError as error:
        why = why_refused(error, resource.getrlimit(resource.RLIMIT_RTPRIO)[0], priority)
        return f"real-time priority {priority}: {why} Predictions go on at ordinary priority."
    return ""


def why_refused(error: OSError, limit: int, priority: int) -> str:
    """What is missing where the kernel answers with `error`; `limit` is RLIMIT_RTPRIO, -1 for none."""
    if not isinstance(error, PermissionError):
        return f"this system does not give it: {error.strerror}."
    if 0 <= limit < priority:
        return (
            f"expected the right to it (CAP_SYS_NICE, or RLIMIT_RTPRIO of {priority} or more), found "
            f"a limit of {limit}. In a service's unit LimitRTPRIO={priority} and RestrictRealtime=no "
            "give it."
        )
    return (
        "the limit (RLIMIT_RTPRIO) allows it, yet the kernel refuses. Expected RestrictRealtime=no in "
        "the service's unit, and where the kernel has CONFIG_RT_GROUP_SCHED real-time runtime for the "
        "service's group (cpu.rt_runtime_us)."
    )
