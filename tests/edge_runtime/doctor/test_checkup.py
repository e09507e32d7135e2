"""Checks run side by side, each within its time, and none ends the others."""

import threading
import time
from collections.abc import Iterator

import pytest

from edge_runtime.doctor import checkup
from edge_runtime.doctor.checkup import Check, examine
from edge_runtime.doctor.findings import Device, Finding, ok
from edge_runtime.errors import StoreError


def fine(_device: Device) -> Iterator[Finding]:
    yield ok("One.")
    yield ok("Two.")


def refused(_device: Device) -> Iterator[Finding]:
    raise StoreError("The store is damaged.")


def faulty(_device: Device) -> Iterator[Finding]:
    yield ok("Lost, as what follows fails.")
    raise ZeroDivisionError("a fault")


def test_findings_come_in_the_order_of_the_checks_with_their_names() -> None:
    checks = [Check("slow", lambda device: (time.sleep(0.1), fine(device))[1]), Check("quick", fine)]
    found = examine(Device(), checks)
    assert [(each.check, each.what) for each in found] == [
        ("slow", "One."), ("slow", "Two."), ("quick", "One."), ("quick", "Two."),
    ]  # fmt: skip


def test_what_a_check_raises_is_a_problem_of_its_own() -> None:
    found = examine(Device(), [Check("a", refused), Check("b", faulty), Check("c", fine)])
    assert [each.state for each in found] == ["problem", "problem", "ok", "ok"]
    assert found[0].what == "The store is damaged."
    assert found[1].what == "This could not be looked at: ZeroDivisionError: a fault."
    assert all(each.advice for each in found[:2])


def test_a_check_that_hangs_is_not_waited_for() -> None:
    end, ended = threading.Event(), list[bool]()

    def hangs(_device: Device) -> Iterator[Finding]:
        ended.append(end.wait(30))
        yield ok("Too late.")

    found = examine(Device(), [Check(str(n), hangs, limit_s=0.2) for n in range(3)] + [Check("x", fine)])
    assert ended == []
    assert [each.what for each in found[:3]] == ["No answer within 0.2 s."] * 3
    assert found[3].what == "One."
    end.set()


def test_who_waits_is_told_for_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "_QUIET_S", 0.0)
    end, told = threading.Event(), list[str]()

    def slow(_device: Device) -> Iterator[Finding]:
        assert end.wait(30)
        yield ok("One.")

    def say(text: str) -> None:
        told.append(text)
        if "quick" not in text:
            end.set()

    checks = [Check("engines", slow, 60), Check("quick", fine), Check("fleet", slow)]
    found = examine(Device(), checks, say)
    assert [each.what for each in found] == ["One.", "One.", "Two.", "One."]
    assert "still looks at: engines, fleet (60 s at most)" in told
