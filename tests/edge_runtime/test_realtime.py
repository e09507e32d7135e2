"""Real-time mode, asked of the kernel itself, with the right to it and without."""

import errno
import gc
import os
import resource
import subprocess
import sys
import threading
import weakref

import pytest

from edge_runtime.errors import ConfigError
from edge_runtime.realtime import realtime, why_refused
from tests.support.rights import FIFO, WITHOUT, may_raise


def test_the_thread_is_raised_where_it_may_be_and_as_before_afterwards() -> None:
    before = os.sched_getscheduler(0)

    with realtime(7) as mode:
        raised, priority = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority

    assert (raised, priority, mode.missing) == (FIFO, 7, "") if may_raise() else mode.missing
    assert os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == before & ~os.SCHED_RESET_ON_FORK


def test_what_it_starts_is_ordinary() -> None:
    found: list[int] = []
    with realtime():
        thread = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))
        thread.start()
        thread.join()
        asked = [sys.executable, "-c", "import os; print(os.sched_getscheduler(0))"]
        child = subprocess.run(asked, capture_output=True, text=True, check=True)

    assert (found, child.stdout.strip()) == ([os.SCHED_OTHER], str(os.SCHED_OTHER))


def test_without_the_right_it_says_which_and_goes_on() -> None:
    program = (
        "import gc, os; from edge_runtime.realtime import realtime\n"
        "with realtime(7) as mode:\n"
        "    print(os.sched_getscheduler(0), gc.isenabled()); print(mode.missing)"
    )
    asked = [*WITHOUT, sys.executable, "-c", program]
    ran = subprocess.run(asked, capture_output=True, text=True, check=True)

    scheduled, told = ran.stdout.splitlines()
    assert scheduled == "0 False"
    assert told == (
        "real-time priority 7: expected the right to it (CAP_SYS_NICE, or RLIMIT_RTPRIO of 7 or more), "
        "found a limit of 0. In a service's unit LimitRTPRIO=7 and RestrictRealtime=no give it. "
        "Predictions go on at ordinary priority."
    )


@pytest.mark.parametrize(
    ("number", "limit", "told"),
    [
        (
            errno.EPERM,
            6,
            "expected the right to it (CAP_SYS_NICE, or RLIMIT_RTPRIO of 7 or more)",
        ),
        (
            errno.EPERM,
            7,
            "the limit (RLIMIT_RTPRIO) allows it, yet the kernel refuses.",
        ),
        (errno.EPERM, resource.RLIM_INFINITY, "the limit (RLIMIT_RTPRIO) allows it, yet the kernel"),
        (errno.ENOSYS, 0, "this system does not give it: Function not implemented."),
    ],
)
def test_each_reason_of_a_refusal_is_told_apart(number: int, limit: int, told: str) -> None:
    assert why_refused(OSError(number, os.strerror(number)), limit, 7).startswith(told)


class Cycle:
    """Garbage that only a collection finds."""

    def __init__(self) -> None:
        self.myself = self


def test_garbage_waits_for_collect_and_is_collected_by_it() -> None:
    with realtime() as mode:
        garbage = weakref.ref(Cycle())
        assert not gc.isenabled()
        assert garbage() is not None

        mode.collect()

        assert garbage() is None
    assert gc.isenabled()


def test_what_lives_through_collections_is_found_in_the_end() -> None:
    with realtime() as mode:
        lasting = Cycle()
        mode.collect(), mode.collect()  # it is among the oldest now, which are rarely looked at
        garbage = weakref.ref(lasting)
        del lasting

        for _ in range(1024):
            mode.collect()

        assert garbage() is None


def test_garbage_of_before_goes_first_and_what_lives_then_is_not_looked_at_until_the_end() -> None:
    before, lasting = weakref.ref(Cycle()), Cycle()
    later = weakref.ref(lasting)
    with realtime() as mode:
        assert before() is None
        del lasting
        for _ in range(1024):
            mode.collect()
        assert later() is not None
    gc.collect()
    assert later() is None


def test_all_is_looked_at_once_in_a_thousand_times_only() -> None:
    generations: list[int] = []

    def note(phase: str, about: dict[str, int]) -> None:
        if phase == "stop":
            generations.append(about["generation"])

    with realtime() as mode:
        gc.callbacks.append(note)
        for _ in range(2048):
            mode.collect()
        gc.callbacks.remove(note)

    assert generations == [*[0] * 1023, 2] * 2


def test_garbage_is_collected_as_before_after_a_fault() -> None:
    with pytest.raises(ValueError, match="the sensor is gone"), realtime():
        raise ValueError("the sensor is gone")

    assert gc.isenabled()


@pytest.mark.parametrize("priority", [0, 100, -1])
def test_another_priority_is_refused(priority: int) -> None:
    with (
        pytest.raises(ConfigError, match=f"expected 1 to 99, found {priority}"),
        realtime(priority),
    ):
        pass
