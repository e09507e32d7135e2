"""How long a model has to wait that uses more of the processor than it may."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edge_runtime.agent.pace import CpuLimit, Pace
from tests.support.waiting import wait_for


def test_a_second_s_worth_may_be_used_at_once() -> None:
    pace = Pace(0.5, now_s=0)
    pace.spend(0.5)
    assert pace.wait_s(0) == 0
    pace.spend(0.1)
    assert pace.wait_s(0) == pytest.approx(0.2)
    assert pace.wait_s(0.1) == pytest.approx(0.1)
    assert pace.wait_s(0.21) == 0


@pytest.mark.parametrize("cores", [0.1, 0.5, 2.0])
def test_whatever_a_run_takes_the_average_is_kept(cores: float) -> None:
    pace, now_s, used_s = Pace(cores, now_s=0), 0.0, 0.0
    while now_s < 1_000:
        now_s += pace.wait_s(now_s)
        pace.spend(0.7)
        used_s += 0.7
        now_s += 0.7 / 4  # on four cores
    assert used_s / now_s == pytest.approx(cores, rel=0.01)


def test_a_long_rest_saves_no_more_than_a_second_s_worth() -> None:
    pace = Pace(0.5, now_s=0)
    assert pace.wait_s(1_000) == 0
    pace.spend(0.6)
    assert pace.wait_s(1_000) == pytest.approx(0.2)


@contextmanager
def busy() -> Iterator[subprocess.Popen[bytes]]:
    """A process of which two threads are busy."""
    code = "import threading\nfor _ in '12': threading.Thread(target=lambda: any(iter(int, 1))).start()"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("another", [False, True])
def test_what_a_process_uses_is_counted_from_its_first_window_on_with_all_its_threads(
    another: bool,
) -> None:
    """And nothing of `another` one before it is taken for its."""
    limit = CpuLimit(0.01)
    if another:
        with busy() as process:
            limit.begin(process.pid)
    with busy() as process:
        wait_for(lambda: used_s(process.pid) > 0.2, "work")
        limit.begin(process.pid)
        limit.end()
        assert limit.wait_s() == 0

        wait_for(lambda: used_s(process.pid) > 0.5, "more work")
        limit.begin(process.pid)
        limit.end()
        assert 10 < limit.wait_s() < 100
    limit.end()  # it is gone
    assert limit.event() == ("cpu limit reached", "the limit of 0.01 cores (`cpu`): windows wait")
    assert limit.event() is None


def used_s(pid: int) -> float:
    """By /proc: user and system time."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_minute_without_a_wait_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = CpuLimit(1.0)
    assert limit.event() is None
    limit._pace.spend(2.0)
    assert limit.wait_s() > 0
    assert limit.event() == ("cpu limit reached", "the limit of 1 cores (`cpu`): windows wait")

    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert limit.wait_s() == 0
    assert limit.event() == ("within cpu limit again", "no window has waited for 60 s")
    assert limit.event() is None
