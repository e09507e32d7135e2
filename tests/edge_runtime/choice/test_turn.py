"""Models that are measured at once: one after the other, unless one takes too long."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path

import pytest

from edge_runtime.choice.measuring import Cancelled, Held, Limits, measure
from edge_runtime.choice.turn import in_turn
from edge_runtime.worker import Worker
from tests.support.slots import slot
from tests.support.tiny_bundle import tiny_bundle
from tests.support.waiting import wait_for

TWO = tiny_bundle(variants={"first": "good", "second": "good"})
QUICK = Limits(load_s=20, measure_s=0.05)


@contextmanager
def another_is_measured() -> Iterator[None]:
    """By another thread, as long as the block runs."""
    begun, over = threading.Event(), threading.Event()

    def hold() -> None:
        with in_turn(0, lambda: None, lambda _: None):
            begun.set()
            over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_several_that_are_asked_for_at_once_are_measured_one_after_the_other(tmp_path: Path) -> None:
    """As an agent has them installed: each from its first candidate to its last."""
    folder, told = slot(tmp_path, TWO), list[str]()

    def ask(name: str) -> None:
        measure(name, folder, Worker, Held(), limits=QUICK, say=told.append)

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    measured = [words for words in told if "waits" not in words]
    turns = [
        (name, list(said)) for name, said in groupby(measured, lambda words: words.partition(":")[0])
    ]
    assert sorted(name for name, _ in turns) == ["a", "b", "c"]
    for name, said in turns:
        assert said[0] == f"{name}: measures first on cpu, second on cpu"
        assert len(said) in (3, 6)  # twice where their times are near, which is the machine's to say
    assert len(told) == len(measured) + 2


def test_who_waits_says_so_and_goes_on_when_its_turn_comes(tmp_path: Path) -> None:
    told: list[str] = []
    ask = partial(measure, "a", slot(tmp_path, TWO), Worker, Held(), limits=QUICK, say=told.append)
    asking = threading.Thread(target=ask)
    with another_is_measured():
        asking.start()
        wait_for(lambda: told, "its words")
        assert told == ["a: waits until another model is measured"]
    asking.join()

    assert told[1] == "a: measures first on cpu, second on cpu"


def test_one_that_takes_too_long_is_not_waited_for_and_that_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    limits = Limits(load_s=20, measure_s=0.05, turn_s=0.2)
    with another_is_measured():
        rows = measure("a", slot(tmp_path, TWO), Worker, Held(), limits=limits, say=told.append)

    assert all(row.p50_us for row in rows)
    assert told[1] == (
        "a: is measured beside another model, which takes more than 0.2 s: their times may be too long"
    )


def test_who_is_cancelled_waits_no_longer(tmp_path: Path) -> None:
    held, told = Held(), list[str]()

    def ask() -> None:
        limits = Limits(load_s=20, measure_s=0.05, turn_s=20)
        with pytest.raises(Cancelled):
            measure("a", slot(tmp_path, TWO), Worker, held, limits=limits, say=told.append)
        told.append("it is given up")

    asking = threading.Thread(target=ask)
    with another_is_measured():
        asking.start()
        wait_for(lambda: told, "its words")
        held.cancel()
        asking.join()
    held.close()

    assert told == ["a: waits until another model is measured", "it is given up"]


def test_one_alone_that_is_not_timed_waits_for_nobody(tmp_path: Path) -> None:
    with another_is_measured():
        held = Held()
        measure("a", slot(tmp_path, tiny_bundle()), Worker, held, limits=QUICK)
        held.close()


def test_a_failure_ends_the_turn() -> None:
    with pytest.raises(ZeroDivisionError), in_turn(0, lambda: None, lambda _: None):
        raise ZeroDivisionError
    told: list[str] = []
    with in_turn(0, lambda: None, told.append):
        assert told == []
