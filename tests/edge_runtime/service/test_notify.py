"""What is said over a real datagram socket, and that nobody there is no trouble."""

import os
import time
from pathlib import Path

import pytest

from edge_runtime.service.notify import Notifier
from tests.support.manager import ManagerSocket


@pytest.mark.parametrize("abstract", [False, True])
def test_each_word_arrives_as_one_message(tmp_path: Path, *, abstract: bool) -> None:
    with ManagerSocket(tmp_path, abstract=abstract) as manager:
        environment = manager.environment(watchdog_s=10)
        notifier = Notifier.from_environment(environment)
        assert environment == {}  # children are not asked
        notifier.status("motion 1.0.0\nhears")
        notifier.status("motion 1.0.0 hears")
        notifier.ready()
        notifier.went_round()
        notifier.stopping()
        notifier.close()
        assert manager.listen() == [
            "STATUS=motion 1.0.0 hears", "READY=1", "WATCHDOG=1", "STOPPING=1",
        ]  # fmt: skip


def test_the_watchdog_hears_thrice_in_its_time_however_often_the_loop_goes_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    with ManagerSocket(tmp_path) as manager:
        notifier = Notifier(manager.address, watchdog_s=6)
        for _ in range(6_000):
            notifier.went_round()
            now_s += 0.001
        notifier.close()
        assert manager.beats() == 3


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": str(os.getpid() + 1)},
    ],
)
def test_a_watchdog_that_is_not_ours_hears_nothing(tmp_path: Path, asked: dict[str, str]) -> None:
    with ManagerSocket(tmp_path) as manager:
        notifier = Notifier.from_environment({"NOTIFY_SOCKET": manager.address, **asked})
        notifier.went_round()
        notifier.close()
        assert manager.listen() == []


@pytest.mark.parametrize("address", ["", "relative", "/nobody/there", "@nobody-there"])
def test_a_manager_that_is_not_there_stops_nothing(address: str) -> None:
    notifier = Notifier(address, watchdog_s=1)
    notifier.ready()
    notifier.went_round()
    notifier.close()
    notifier.stopping()


def test_a_manager_that_does_not_read_stops_nothing(tmp_path: Path) -> None:
    with ManagerSocket(tmp_path) as manager:
        notifier = Notifier(manager.address)
        for number in range(5_000):
            notifier.status(f"{number} {'x' * 3_000}")
        notifier.close()
        assert len(manager.listen()) < 5_000
        assert all(len(one) <= 2_007 for one in manager.heard)
