"""How much of the processor a model may use: its windows wait while it has had more than its share."""

import time
from contextlib import suppress

_BURST_S = 1.0  # what was not used is kept for so long
_QUIET_S = 60.0  # without a wait for so long it is within its share again
_SCHEDULED = 2  # CPUCLOCK_SCHED, of clock_getcpuclockid(3): user and system time in nanoseconds


class Pace:
    """A bucket of CPU time that `cores` fill, a second's worth at most. Pure: all times are told."""

    def __init__(self, cores: float, now_s: float) -> None:
        self._cores = cores
        self._left_s = cores * _BURST_S
        self._filled_s = now_s

    def wait_s(self, now_s: float) -> float:
        """For how long nothing may run; 0 where something may."""
        self._left_s += self._cores * (now_s - self._filled_s)
        self._left_s = min(self._left_s, self._cores * _BURST_S)
        self._filled_s = now_s
        return max(0.0, -self._left_s / self._cores)

    def spend(self, cpu_s: float) -> None:
        self._left_s -= cpu_s


class CpuLimit:
    """Holds one model's workers to `cores` on average; used by the model's thread.

    Only what a worker uses between its first window and its last is counted, not its start.
    """

    def __init__(self, cores: float) -> None:
        self.reason = f"the limit of {cores:g} cores (`cpu`)"
        self._pace = Pace(cores, time.monotonic())
        self._pid = 0
        self._used_s = 0.0
        self._waited_s = 0.0  # when one had to, last
        self.reached = False

    def wait_s(self) -> float:
        """For how long the next window has to wait; 0 when it has not."""
        now_s = time.monotonic()
        wait_s = self._pace.wait_s(now_s)
        if wait_s:
            self._waited_s = now_s
        return wait_s

    def begin(self, pid: int) -> None:
        """A window is about to be run by this process."""
        if pid != self._pid:
            self._pid = pid
            self._used_s = cpu_s(pid) or 0.0

    def end(self) -> None:
        """It was run; a process that is gone has used nothing more that could be told."""
        used_s = cpu_s(self._pid)
        if used_s is not None:
            self._pace.spend(used_s - self._used_s)
            self._used_s = used_s

    def event(self) -> tuple[str, str] | None:
        """An event to be told now, and its detail: that windows have to wait, and that none has to."""
        waits = bool(self._waited_s) and time.monotonic() - self._waited_s < _QUIET_S
        if waits == self.reached:
            return None
        self.reached = waits
        if waits:
            return "cpu limit reached", f"{self.reason}: windows wait"
        return "within cpu limit again", f"no window has waited for {_QUIET_S:.0f} s"


def cpu_s(pid: int) -> float | None:
    """What a process has used, by the kernel's count; None for one that is gone."""
    with suppress(OSError):
        return time.clock_gettime(~pid << 3 | _SCHEDULED)
    return None
