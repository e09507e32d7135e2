"""A signal to end is a question that the main loop asks."""

import signal

import pytest

from edge_runtime.signals import ended_as_by_ctrl_c, stop_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_become_a_question_and_are_given_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_signals() as stopped:
        assert not stopped()
        signal.raise_signal(number)
        assert stopped()
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_ends_a_command_is_an_interrupt_unless_it_is_ignored(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), ended_as_by_ctrl_c():
        signal.raise_signal(number)
    assert signal.getsignal(number) == signal.SIG_DFL

    signal.signal(number, signal.SIG_IGN)
    try:
        with ended_as_by_ctrl_c():
            signal.raise_signal(number)
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, signal.SIG_DFL)
