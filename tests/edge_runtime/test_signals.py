"""A signal to end is a question that the main loop asks; what a handler raises is known as that."""

import signal
from collections.abc import Iterator
from functools import partial

import pytest

from edge_runtime.signals import ended_as_by_ctrl_c, raise_if_a_handlers, stop_signals


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


def _raises(*_: object) -> None:
    raise ValueError("it is time")


class _Handler:
    def __call__(self, *_: object) -> None:
        raise ValueError("it is time")

    def method(self, *_: object) -> None:
        self()


HANDLERS = [_raises, partial(_raises, 1), _Handler(), _Handler().method, partial(_Handler().method, 1)]


@pytest.fixture(params=HANDLERS)
def raised(request: pytest.FixtureRequest) -> Iterator[ValueError]:
    """What a handler raises, while it is installed."""
    before = signal.signal(signal.SIGURG, request.param)
    try:
        signal.raise_signal(signal.SIGURG)
    except ValueError as error:
        yield error
    signal.signal(signal.SIGURG, before)


def test_what_a_handler_raised_is_known_whatever_it_is_and_whatever_was_made_of_it(
    raised: ValueError,
) -> None:
    made, unmade = OSError("made of it"), OSError("only after it")
    made.__cause__, unmade.__context__ = raised, raised
    for error in (raised, made):
        with pytest.raises(ValueError, match="it is time") as caught:
            raise_if_a_handlers(error)
        assert caught.value is raised
        assert caught.value.__context__ is None
    raise_if_a_handlers(unmade)


def test_what_another_raised_is_not_a_handlers() -> None:
    try:
        _raises()
    except ValueError as error:
        raise_if_a_handlers(error)


def test_without_memory_to_look_the_error_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> set[signal.Signals]:
        raise MemoryError

    monkeypatch.setattr(signal, "valid_signals", full)
    raise_if_a_handlers(MemoryError("of a library"))


def test_causes_in_a_circle_come_to_an_end(raised: ValueError) -> None:
    error, other = OSError("an egg"), OSError(f"a hen, and no {raised}")
    error.__cause__, other.__cause__ = other, error
    raise_if_a_handlers(error)
