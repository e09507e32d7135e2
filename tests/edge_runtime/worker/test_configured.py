"""What a worker is told beside its model: which variant, on which board, in real-time mode."""

import os
from pathlib import Path

import pytest

from edge_runtime.errors import GoldenMismatchError, UnavailableError
from edge_runtime.worker import Worker
from tests.support.own_engine import own_engine
from tests.support.rights import FIFO, classes, may_raise
from tests.support.slots import slot
from tests.support.tiny_bundle import golden_windows, tiny_bundle
from tests.support.waiting import wait_for


def test_the_thread_that_predicts_is_raised_and_no_other(tmp_path: Path) -> None:
    with Worker.start(slot(tmp_path, tiny_bundle()), priority=9) as worker:
        for _ in range(3):
            assert worker.infer(golden_windows()).labels is not None
        found = classes(worker.pid)
        priority = os.sched_getparam(worker.pid).sched_priority

    main = found.pop(worker.pid)
    assert (main, priority, worker.info.missing) == (FIFO, 9, "") if may_raise() else worker.info.missing
    assert set(found.values()) == {os.SCHED_OTHER}


def test_garbage_is_collected_once_after_each_answer_and_at_no_other_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process tells of each collection while those that come by themselves are off."""
    (tmp_path / "sitecustomize.py").write_text(
        "import gc, itertools\n"
        "number = itertools.count(1)\n"
        "def tell(phase, _):\n"
        "    if phase == 'stop' and not gc.isenabled(): print('collected', next(number), flush=True)\n"
        "gc.callbacks.append(tell)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    said: list[str] = []
    told = ["collected 1", "collected 2", "collected 3"]
    with Worker.start(slot(tmp_path, tiny_bundle()), priority=10, on_line=said.append) as worker:
        for answers in (1, 2, 3):
            worker.infer(golden_windows())
            wait_for(lambda count=answers: said == told[:count], "the collection")


def test_it_is_ordinary_if_nothing_else_is_said(tmp_path: Path) -> None:
    with Worker.start(slot(tmp_path, tiny_bundle())) as worker:
        assert set(classes(worker.pid).values()) == {os.SCHED_OTHER}
        assert (worker.info.missing, worker.info.notes) == ("", ())


def test_the_answer_is_sent_before_garbage_is_collected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collection is held until the answer is here."""
    here = tmp_path / "here"
    (tmp_path / "sitecustomize.py").write_text(
        "import gc, os, time\n"
        "def hold(phase, _):\n"
        "    if phase == 'start' and not gc.isenabled():\n"
        f"        while not os.path.exists({str(here)!r}): time.sleep(0.01)\n"
        "gc.callbacks.append(hold)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with Worker.start(slot(tmp_path, tiny_bundle()), priority=10) as worker:
        assert worker.infer(golden_windows()).labels is not None
        here.touch()
        assert worker.infer(golden_windows()).labels is not None


def test_nothing_is_loaded_in_real_time_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes seconds, in which ordinary work would stand still."""
    told = "print(os.sched_getscheduler(0), flush=True)"
    monkeypatch.setenv(*own_engine(tmp_path, load=told, imported=told).popitem())
    folder, said = slot(tmp_path, tiny_bundle(engine="own")), list[str]()
    with Worker.start(folder, priority=10, on_line=said.append):
        assert said[0] == str(os.SCHED_OTHER)
        assert str(FIFO) not in said


@pytest.mark.parametrize("priority", [0, 10])
def test_what_was_loaded_is_no_business_of_the_garbage_collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, priority: int
) -> None:
    told = "import gc; print('frozen' if gc.get_freeze_count() else 'not yet', flush=True)"
    monkeypatch.setenv(*own_engine(tmp_path, run=told).popitem())
    folder, said = slot(tmp_path, tiny_bundle(engine="own")), list[str]()
    with Worker.start(folder, priority=priority, on_line=said.append) as worker:
        worker.infer(golden_windows())
        wait_for(lambda: said[-1:] == ["frozen"], "the engine's word")
    assert said[0] == "not yet"


def test_a_variant_can_be_named_and_no_other_runs(tmp_path: Path) -> None:
    folder = slot(tmp_path, tiny_bundle(wrong_on="pi5"))

    with Worker.start(folder, board="pi5", variant="fp32") as worker:
        assert (worker.info.variant, worker.info.notes) == ("fp32", ())
    with pytest.raises(GoldenMismatchError):
        Worker.start(folder, board="pi5", variant="wrong")
    with pytest.raises(UnavailableError, match=r"wrong is made for pi5 \(this is pi4\)"):
        Worker.start(folder, board="pi4", variant="wrong")
    with pytest.raises(
        UnavailableError, match=r"expected a variant 'int8', found wrong, fp32\. Name one"
    ):
        Worker.start(folder, variant="int8")


def test_it_says_why_a_better_variant_does_not_run(tmp_path: Path) -> None:
    with Worker.start(slot(tmp_path, tiny_bundle(wrong_on="pi5")), board="pi4") as worker:
        assert worker.info.notes == ("wrong does not run, fp32 does: is made for pi5 (this is pi4)",)
