"""Candidates measured in real processes: what each took, and what becomes of those that cannot serve."""

import re
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.choice.decision import Measured
from edge_runtime.choice.measuring import Cancelled, Held, Limits, measure
from edge_runtime.engine.candidate import Candidate
from edge_runtime.errors import BundleError, EngineError, UnavailableError, WorkerError
from edge_runtime.worker import Worker
from tests.support.own_engine import own_engine
from tests.support.slots import slot
from tests.support.tiny_bundle import Behaviour, golden_windows, tiny_bundle
from tests.support.waiting import wait_for

QUICK = Limits(load_s=20, prepare_s=20, measure_s=0.05)
SLOW_AND_FAST: Mapping[str, Behaviour] = {"slow": "slow", "fast": "good"}


def table(folder: Path, limits: Limits = QUICK, **settings: Any) -> dict[str, Measured]:
    """The table of a slot by variant, measured now."""
    held = Held()
    try:
        rows = measure("tiny 1.0.0", folder, partial(Worker, **settings), held, limits=limits)
    finally:
        held.close()
    return {row.candidate.variant: row for row in rows}


def time_of(words: str) -> tuple[str, float]:
    """The variant and the p50 of what is told of a measurement."""
    found = re.search(r": (\w+) on cpu takes ([0-9.]+) µs", words)
    assert found is not None, words
    return found[1], float(found[2])


def test_each_that_gives_its_golden_outputs_is_timed(tmp_path: Path) -> None:
    told: list[str] = []
    folder = slot(tmp_path, tiny_bundle(variants=SLOW_AND_FAST))
    rows = measure("tiny 1.0.0", folder, Worker, Held(), limits=QUICK, say=told.append)

    slow, fast = rows
    assert [str(row.candidate) for row in rows] == ["slow on cpu", "fast on cpu"]
    assert slow.p50_us is not None
    assert fast.p50_us is not None
    assert slow.p50_us > fast.p50_us
    assert (slow.memory_mb or 0) > 20
    assert (slow.load_ms or 0) > 0
    assert told[0] == "tiny 1.0.0: measures slow on cpu, fast on cpu"
    assert told[1].startswith("tiny 1.0.0: slow on cpu takes ")
    assert len(told) == 3, "one is far ahead"


def test_those_that_are_near_the_fastest_are_timed_again_and_the_faster_time_counts(
    tmp_path: Path,
) -> None:
    folder = slot(tmp_path, tiny_bundle(variants={"a": "good", "slow": "slow", "b": "good"}))
    for _ in range(5):  # a busy machine may set apart even two that are the same
        told: list[str] = []
        rows = measure("tiny 1.0.0", folder, Worker, Held(), limits=QUICK, say=told.append)
        if len(told) > 4:
            break

    assert told[4] == "tiny 1.0.0: measures again b on cpu, a on cpu: their times are near"
    at_first, again = dict(map(time_of, told[1:4])), dict(map(time_of, told[5:]))
    assert list(again) == ["b", "a"]
    assert all(again[name] <= at_first[name] for name in again)
    counted = {row.candidate.variant: round(row.p50_us or 0, 1) for row in rows}
    assert counted == at_first | again


def test_one_alone_is_not_timed_and_its_process_is_kept(tmp_path: Path) -> None:
    held = Held()
    (row,) = measure("tiny 1.0.0", slot(tmp_path, tiny_bundle()), Worker, held, limits=QUICK)
    assert (str(row.candidate), row.p50_us, row.why_not) == ("fp32 on cpu", None, "")
    worker = held.take()
    assert worker is not None
    with worker:
        assert worker.infer(golden_windows()).labels is not None


@pytest.mark.parametrize("alone", [True, False])
def test_what_an_engine_prepares_is_told_before_it_begins_and_how_long_it_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    begun = tmp_path / "begun"
    # Slow, as two that are near are measured, and prepared, twice.
    own = own_engine(tmp_path, prepare=f"open({str(begun)!r}, 'w')", run="time.sleep(0.01)")
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    told: list[str] = []

    def say(text: str) -> None:
        if "prepares" in text:
            told.append(text)
            assert not begun.exists()

    variants: Mapping[str, Behaviour] = (
        {"theirs": "good"} if alone else {"fp32": "good", "theirs": "good"}
    )
    folder = slot(tmp_path, tiny_bundle(variants=variants, on_own=["theirs"]))
    held = Held()
    measure("tiny 1.0.0", folder, Worker, held, limits=Limits(measure_s=0.05), say=say)
    held.close()
    assert begun.exists()
    assert told == ["tiny 1.0.0: prepares theirs, up to 33 min"]


def test_an_engine_of_others_is_told_before_it_is_tried_and_ours_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*own_engine(tmp_path, why="return 'it is switched off'").popitem())
    told: list[str] = []
    folder = slot(tmp_path, tiny_bundle(variants={"gpu": "good", "fast": "good"}, on_own={"gpu"}))
    with closing(Held()) as held:
        measure("tiny 1.0.0", folder, Worker, held, limits=QUICK, say=told.append)
    assert told == ["tiny 1.0.0: tries the engine own of the package ownengine 1.0, up to 20 s"]


def test_where_no_time_is_given_for_rows_the_candidates_are_proved_alone(tmp_path: Path) -> None:
    told: list[str] = []
    folder = slot(tmp_path, tiny_bundle(variants=SLOW_AND_FAST))
    with closing(Held()) as held:
        rows = measure("x", folder, Worker, held, limits=Limits(measure_s=0), say=told.append)
    assert [(str(row.candidate), row.why_not, row.p50_us) for row in rows] == [
        ("slow on cpu", "", None),
        ("fast on cpu", "", None),
    ]
    assert told[1:] == [
        "x: slow on cpu gave its golden outputs, and was not timed",
        "x: fast on cpu gave its golden outputs, and was not timed",
    ]


def test_one_alone_is_timed_if_that_is_asked_for(tmp_path: Path) -> None:
    held = Held()
    folder = slot(tmp_path, tiny_bundle())
    (row,) = measure("tiny 1.0.0", folder, Worker, held, limits=QUICK, alone_too=True)
    assert row.p50_us is not None
    assert held.take() is None


def test_a_pinned_one_is_alone(tmp_path: Path) -> None:
    rows = table(slot(tmp_path, tiny_bundle(variants=SLOW_AND_FAST)), variant="slow")
    assert list(rows) == ["slow"]
    assert rows["slow"].p50_us is None


@pytest.mark.end_to_end
def test_what_is_wrong_broken_or_hangs_is_left_out_with_its_reason(tmp_path: Path) -> None:
    variants: Mapping[str, Behaviour] = {
        "wrong": "wrong",
        "broken": "not_onnx",
        "hangs": "hangs",
        "fast": "good",
    }
    limits = Limits(load_s=6, prepare_s=20, measure_s=0.05)
    rows = table(slot(tmp_path, tiny_bundle(variants=variants)), limits)

    assert "expected the source model's outputs for 6 golden inputs" in rows["wrong"].why_not
    assert "expected an ONNX file" in rows["broken"].why_not
    assert rows["hangs"].why_not.startswith("tiny 1.0.0: loading and measuring took more than 7 s")
    assert rows["fast"].why_not == ""


def test_what_needs_more_memory_than_it_may_have_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    greedy = own_engine(tmp_path, load="kept.append(np.ones(1 << 27))")
    for name, value in greedy.items():
        monkeypatch.setenv(name, value)
    folder = slot(tmp_path, tiny_bundle(variants={"gpu": "good", "fast": "good"}, on_own={"gpu"}))

    rows = table(folder, max_bytes=768 << 20)

    assert "emory" in rows["gpu"].why_not
    assert rows["fast"].why_not == ""


@pytest.mark.end_to_end
@pytest.mark.parametrize("why", ["os.abort()", "raise SystemExit(3)"])
def test_an_engine_that_ends_the_process_which_looks_for_it_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    for name, value in own_engine(tmp_path, why=why).items():
        monkeypatch.setenv(name, value)
    folder = slot(tmp_path, tiny_bundle(variants={"gpu": "good", "fast": "good"}, on_own={"gpu"}))

    found = table(folder)
    assert "own" in found["gpu"].why_not
    assert found["fast"].why_not == ""


@pytest.mark.end_to_end
def test_an_engine_that_is_tried_for_long_keeps_no_other_variant_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = tmp_path / "tried"
    why = f"print(os.getpid(), file=open({str(tried)!r}, 'a')); time.sleep(2.5)"
    # Far behind `fast`: two that are near would be measured again, in processes that look again.
    for name, value in own_engine(tmp_path, why=why, run="time.sleep(0.01)").items():
        monkeypatch.setenv(name, value)
    folder = slot(tmp_path, tiny_bundle(variants={"gpu": "good", "fast": "good"}, on_own={"gpu"}))

    rows = table(folder, Limits(load_s=4, measure_s=0.05))
    assert (rows["gpu"].why_not, rows["fast"].why_not) == ("", "")
    assert len(set(tried.read_text().split())) == 2  # one apart, the one that asks, none for `fast`
    with Worker.start(folder, timeout_s=4, preferred=Candidate("fast", "cpu")) as worker:
        assert worker.info.variant == "fast"


@pytest.mark.end_to_end
def test_what_takes_long_before_a_load_has_a_limit_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in own_engine(tmp_path, prepare="time.sleep(5)").items():
        monkeypatch.setenv(name, value)
    folder = slot(tmp_path, tiny_bundle(variants={"gpu": "good", "fast": "good"}, on_own={"gpu"}))

    assert table(folder, Limits(load_s=4.5, measure_s=0.05))["gpu"].why_not == ""
    late = table(folder, Limits(load_s=20, prepare_s=2, measure_s=0.05))
    assert "preparing took more than 2 s" in late["gpu"].why_not
    assert late["fast"].why_not == ""


@pytest.mark.end_to_end
def test_what_a_slow_model_is_measured_for_is_no_part_of_its_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in own_engine(tmp_path, run="time.sleep(0.13)").items():
        monkeypatch.setenv(name, value)
    folder = slot(tmp_path, tiny_bundle(variants={"gpu": "good", "fast": "good"}, on_own={"gpu"}))

    rows = table(folder, Limits(load_s=5, measure_s=0.5))

    assert rows["gpu"].why_not == ""
    assert (rows["gpu"].p50_us or 0) > 130_000


def test_when_the_time_for_all_is_over_the_others_are_left_out(tmp_path: Path) -> None:
    folder = slot(tmp_path, tiny_bundle(variants=SLOW_AND_FAST))
    rows = table(folder, Limits(load_s=20, measure_s=0.05, total_s=0.01))

    assert rows["slow"].why_not == ""
    assert rows["fast"].why_not.startswith("it was not measured: those before it took ")


@pytest.mark.parametrize(
    ("variants", "error", "told"),
    [
        (
            {"a": "wrong", "b": "not_onnx"},
            EngineError,
            "a on cpu: .*golden inputs.*; b on cpu: .*ONNX file",
        ),
        ({"a": "wrong"}, EngineError, "^tiny 1.0.0: expected the source model's outputs"),
    ],
)
def test_when_none_can_serve_every_reason_is_told(
    tmp_path: Path, variants: Mapping[str, Behaviour], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told) as caught:
        table(slot(tmp_path, tiny_bundle(variants=variants)))
    assert not isinstance(caught.value, UnavailableError)


def test_one_whose_process_dies_leaves_it_open_whether_the_bundle_is_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in own_engine(tmp_path, load="os.abort()").items():
        monkeypatch.setenv(name, value)
    folder = slot(tmp_path, tiny_bundle(variants={"gpu": "good", "wrong": "wrong"}, on_own={"gpu"}))

    with pytest.raises(WorkerError, match=r"gpu: .*was ended by SIGABRT.*; wrong on cpu: "):
        table(folder)


@pytest.mark.parametrize("run", ["return None", "raise KeyError('a')"])
def test_an_engine_of_others_whose_runs_break_is_this_machines_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: str
) -> None:
    monkeypatch.setenv(*own_engine(tmp_path, run=run).popitem())

    with pytest.raises(UnavailableError, match=r"^own's adapter is broken: \w+Error: "):
        table(slot(tmp_path, tiny_bundle(engine="own")))


def test_an_altered_file_is_no_candidates_fault(tmp_path: Path) -> None:
    folder = slot(tmp_path, tiny_bundle(variants=SLOW_AND_FAST))
    (folder / "golden" / "inputs" / "0.npy").write_bytes(b"x")
    with pytest.raises(BundleError):
        table(folder)


def test_a_cancel_ends_the_process_that_is_measured_and_no_other_starts(tmp_path: Path) -> None:
    held, started, ended = Held(), list[Worker](), list[object]()
    folder = slot(tmp_path, tiny_bundle(variants={"hangs": "hangs", "fast": "good"}))

    def start(folder: Path, /, **settings: Any) -> Worker:
        started.append(Worker(folder, **settings))
        return started[-1]

    def run() -> None:
        try:
            measure("tiny 1.0.0", folder, start, held, limits=QUICK)
        except Cancelled as cancelled:
            ended.append(cancelled)
        finally:
            held.close()

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: started, "the first process")
    time.sleep(0.5)
    held.cancel()
    thread.join(10)

    assert len(ended) == len(started) == 1
    assert not started[0].alive
    with pytest.raises(Cancelled):
        held.start(lambda: Worker(folder))
