"""When a clock is believed: a rule over evidence, and what this very machine says."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from edge_runtime import clock
from edge_runtime.clock import Evidence, judged

NOW = datetime(2031, 5, 1, tzinfo=timezone.utc)
NOTHING = Evidence(NOW, synchronized=False, newest_seen=None, has_chip=False)
DAY = timedelta(days=1)


def test_a_synchronized_clock_is_believed() -> None:
    found = judged(replace(NOTHING, synchronized=True))

    assert (found.believed, found.synchronized) == (True, True)


def test_a_clock_of_which_nothing_is_known_is_not() -> None:
    assert not judged(NOTHING).believed
    assert not judged(replace(NOTHING, synchronized=None)).believed


def test_a_chip_keeps_what_was_right_once() -> None:
    kept = judged(replace(NOTHING, has_chip=True, newest_seen=NOW - DAY))

    assert kept.believed
    assert not kept.synchronized, "it records no new time: a chip drifts"


def test_a_chip_that_was_never_set_here_or_a_past_without_a_chip_says_nothing() -> None:
    assert not judged(replace(NOTHING, has_chip=True)).believed
    assert not judged(replace(NOTHING, newest_seen=NOW - DAY)).believed


def test_time_does_not_go_back_whatever_the_kernel_says() -> None:
    back = replace(NOTHING, synchronized=True, has_chip=True, newest_seen=NOW + DAY)

    assert not judged(back).believed
    assert "but it was 2031-05-02 here before" in judged(back).why
    assert judged(replace(back, newest_seen=NOW)).believed


def test_a_time_before_this_software_existed_is_not_believed() -> None:
    epoch = datetime(1970, 1, 1, 0, 3, tzinfo=timezone.utc)

    assert not judged(Evidence(epoch, synchronized=True, newest_seen=None, has_chip=True)).believed


def test_this_machine_has_an_answer() -> None:
    found = clock.read(None)

    assert abs(found.now - datetime.now(timezone.utc)) < timedelta(minutes=1)
    assert found.believed == (clock.synchronized() is True)
    assert not clock.read(found.now + DAY).believed
