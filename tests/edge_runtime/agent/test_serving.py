"""How long a worker that keeps dying is left alone, and what is told of one that cannot start."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from edge_runtime.agent import serving as module
from edge_runtime.agent.serving import Serving, back_off_s, chooser_of, rarely_s
from edge_runtime.errors import BundleError, EdgeError, WorkerError
from edge_runtime.worker import Worker
from tests.support.slots import installed_in, slot
from tests.support.tiny_bundle import tiny_bundle
from tests.support.waiting import wait_for


def test_the_first_death_costs_no_time_then_it_doubles_up_to_half_a_minute() -> None:
    waits = [back_off_s(failures) for failures in range(12)]
    assert waits[:5] == [0, 0, 0.2, 0.4, 0.8]
    assert waits[-1] == 30
    assert back_off_s(10_000) == 30
    assert [rarely_s(failures) for failures in (1, 2, 4, 5, 9, 10, 10_000)] == [
        *(1, 1, 1, 1.6),
        *(25.6, 51.2, 300),
    ]


def test_why_it_cannot_start_is_told_once_a_reason_whatever_numbers_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FIRST_BACK_OFF_S", 0.0)
    folder = slot(tmp_path, tiny_bundle())
    installed = installed_in(folder)
    ended = [WorkerError(f"worker process {pid} was ended by SIGKILL at {pid:#x}.") for pid in (7, 812)]
    late = WorkerError("worker process 813: expected to be ready within 60 s.")
    reasons: Iterator[EdgeError | None] = iter([*ended, late, *ended, None, ended[0]])
    told: list[str] = []

    def start(folder: Path) -> Worker:
        if error := next(reasons):
            raise error
        return Worker(folder)

    serving = Serving(
        installed, None, start=start, load_timeout_s=60, note=lambda event, why: told.append(why)
    )
    for _ in range(5):
        assert serving.living() is None
    assert told == [str(ended[0]), str(late), str(ended[0])]
    assert serving.trouble == str(ended[1])

    assert serving.living() is not None
    serving.close()
    assert serving.living() is None
    assert told[3:] == [str(ended[0])]


def test_what_each_try_says_is_told_once_and_how_far_it_is_each_time(
    capfd: pytest.CaptureFixture[str],
) -> None:
    chooser = chooser_of("tiny", "", None)
    assert isinstance(chooser.start, partial)
    for _ in range(2):
        for line in ("Schema error: std::bad_alloc", "building: 10 %", "building: 20 %"):
            chooser.start.keywords["on_line"](line)
        chooser.say("tries the engine own, up to 20 s")
    told = capfd.readouterr().err
    assert told.count("tiny: worker: Schema error: std::bad_alloc") == 1
    assert (told.count("10 %"), told.count("20 %"), told.count("tries the engine own")) == (1, 1, 1)


def test_what_is_given_up_while_it_starts_is_not_started_again_and_what_that_found_is_no_news(
    tmp_path: Path,
) -> None:
    """Its folder goes then, so that it would be missed."""
    folder = slot(tmp_path, tiny_bundle())
    installed = installed_in(folder)
    starts: list[Path] = []
    told: list[str] = []

    def start(folder: Path) -> Worker:
        starts.append(folder)
        serving.given_up = len(starts) == 2
        raise BundleError("it is gone." if serving.given_up else "model.onnx was altered.")

    serving = Serving(
        installed, None, start=start, load_timeout_s=60, note=lambda _, why: told.append(why)
    )
    for _ in range(5):
        assert serving.living() is None
    assert len(starts) == 2
    assert told == ["model.onnx was altered."]
    assert serving.trouble == "model.onnx was altered."


def test_what_dies_while_it_is_confirmed_is_started_again(tmp_path: Path) -> None:
    """On trial whoever counts the attempts decides; once it is confirmed nobody else would."""
    folder = slot(tmp_path, tiny_bundle())
    installed = installed_in(folder)
    serving = Serving(
        installed, None, start=Worker, load_timeout_s=60, note=lambda *_: None, on_trial=True
    )
    try:
        assert serving.living() is not None
        serving.kill()
        wait_for(lambda: serving.living() is None, "its death to be seen")
        assert "was ended by SIGKILL" in serving.failure
        assert serving.living() is None

        serving.on_trial = False
        assert wait_for(serving.living, "another worker").alive
    finally:
        serving.close()


def test_a_worker_that_still_loads_answers_nothing_yet(tmp_path: Path) -> None:
    folder = slot(tmp_path, tiny_bundle())
    installed = installed_in(folder)
    worker = Worker(folder)
    serving = Serving(installed, worker, start=Worker, load_timeout_s=60, note=lambda *_: None)
    try:
        assert serving.answering is None
        worker.wait_ready()
        assert serving.answering is worker
        worker.close()
        assert serving.answering is None
    finally:
        serving.close()
