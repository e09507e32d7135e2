"""When a sensor is called silent."""

from edge_runtime.agent.silence import Silence


def test_a_silence_is_told_once_and_its_end_once() -> None:
    silence = Silence(60, now_s=0)
    silence.event(0, 0)

    assert [silence.event(10, now_s) for now_s in (1, 30, 60.9)] == [None] * 3
    assert silence.event(10, 61) == ("sensor silent", "no sample for 60 s")
    assert [silence.event(10, now_s) for now_s in (62, 1000)] == [None, None]
    assert silence.event(11, 1001) == ("sensor heard again", "after 1000 s without a sample")
    assert silence.event(11, 1060) is None
    assert silence.event(11, 1061) == ("sensor silent", "no sample for 60 s")


def test_one_that_never_said_anything_is_silent_too() -> None:
    silence = Silence(60, now_s=0)

    assert silence.event(0, 0) is None
    assert silence.event(0, 60) == ("sensor silent", "no sample for 60 s")


def test_samples_of_before_the_start_are_no_end_of_a_silence() -> None:
    silence = Silence(60, now_s=0)

    assert silence.event(5000, 1) is None
    assert silence.event(5000, 61) == ("sensor silent", "no sample for 60 s")


def test_nothing_is_told_where_silence_is_usual() -> None:
    silence = Silence(0, now_s=0)

    assert [silence.event(0, now_s) for now_s in (0, 1e9)] == [None, None]


def test_while_the_broker_is_away_nobody_is_silent() -> None:
    silence = Silence(60, now_s=0)
    silence.event(10, 0)

    assert [silence.event(None, now_s) for now_s in (30, 3600)] == [None, None]
    assert silence.event(10, 3659) is None
    assert silence.event(10, 3660) == ("sensor silent", "no sample for 60 s")


def test_a_silence_goes_on_while_the_broker_is_away_and_is_not_told_twice() -> None:
    silence = Silence(60, now_s=0)
    silence.event(10, 0)
    silence.event(10, 60)

    assert silence.event(None, 100) is None
    assert silence.event(10, 1000) is None
    assert silence.event(11, 1001) == ("sensor heard again", "after 1001 s without a sample")
