"""A process that asks what to load, measures it if it is told to, and takes the next best if it must."""

import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from edge_runtime.engine.candidate import Candidate
from edge_runtime.errors import (
    EngineError,
    GoldenMismatchError,
    UnavailableError,
    WorkerError,
)
from edge_runtime.worker import Worker
from tests.support.own_engine import own_engine
from tests.support.slots import slot
from tests.support.tiny_bundle import Behaviour, golden_windows, tiny_bundle
from tests.support.waiting import wait_for

SLOW, FAST, WRONG = Candidate("slow", "cpu"), Candidate("fast", "cpu"), Candidate("wrong", "cpu")


def several(tmp_path: Path) -> Path:
    variants = {"slow": "slow", "fast": "good", "wrong": "wrong"}
    return slot(tmp_path, tiny_bundle(variants=variants))  # type: ignore[arg-type]


def test_it_says_what_could_run_and_serves_what_it_is_told(tmp_path: Path) -> None:
    with Worker(several(tmp_path), asks=True) as worker:
        found = worker.candidates()
        assert (found.usable, found.passed) == ((SLOW, FAST, WRONG), ())
        worker.prepare(FAST, 60)
        worker.wait_ready()
        assert (worker.info.variant, worker.info.provider) == ("fast", "cpu")
        assert worker.info.figures is None
        assert worker.infer(golden_windows()).labels is not None


def test_what_an_engine_takes_by_itself_has_the_name_that_a_measurement_gives_it(tmp_path: Path) -> None:
    with Worker.start(several(tmp_path)) as worker:
        assert Candidate(worker.info.variant, worker.info.provider) == SLOW


def test_what_cannot_run_here_is_among_what_it_says(tmp_path: Path) -> None:
    folder = slot(tmp_path, tiny_bundle(wrong_on="pi5"))
    with Worker(folder, asks=True, board="pi4") as worker:
        found = worker.candidates()
    assert found.usable == (Candidate("fp32", "cpu"),)
    assert found.passed == ((Candidate("wrong"), "is made for pi5 (this is pi4)"),)


def test_one_that_only_looks_and_hangs_or_dies_says_nothing_of_the_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in own_engine(tmp_path, why="time.sleep(600)").items():
        monkeypatch.setenv(name, value)
    folder = slot(tmp_path, tiny_bundle(engine="own"))
    with (
        Worker(folder, asks=True) as worker,
        pytest.raises(UnavailableError, match=r"looking for what can run took more than 0\.5 s"),
    ):
        worker.candidates(0.5)
    with Worker(folder, asks=True) as worker:
        worker.kill()
        with pytest.raises(UnavailableError, match="in looking for what can run, the worker process"):
            worker.candidates()
    with Worker(folder) as worker:  # one that nobody asks looks as well
        worker.kill()
        with pytest.raises(UnavailableError, match="in looking for what can run, the worker process"):
            worker.wait_ready()


def test_a_pinned_variant_or_provider_is_all_there_is(tmp_path: Path) -> None:
    folder = several(tmp_path)
    with Worker(folder, asks=True, variant="fast", provider="cpu") as worker:
        assert worker.candidates().usable == (FAST,)
    with (
        Worker(folder, asks=True, provider="tpu") as worker,
        pytest.raises(UnavailableError, match=r": slow on tpu, fast on tpu, wrong on tpu: expected"),
    ):
        worker.candidates()
    with (
        Worker(folder, asks=True, variant="int8") as worker,
        pytest.raises(UnavailableError, match="expected a variant 'int8', found slow, fast, wrong"),
    ):
        worker.candidates()


def test_it_is_measured_before_it_is_ready(tmp_path: Path) -> None:
    folder, figures = several(tmp_path), {}
    for candidate in (SLOW, FAST):
        with Worker(folder, asks=True) as worker:
            worker.candidates()
            worker.prepare(candidate, 60, measure_s=0.05, batch_s=0.01)
            worker.wait_ready()
            figures[candidate] = worker.info.figures
            assert worker.infer(golden_windows()).labels is not None  # and serves

    slow, fast = figures[SLOW], figures[FAST]
    assert slow is not None
    assert fast is not None
    assert slow.p50_us > fast.p50_us > 0
    assert fast.p99_9_us >= fast.p50_us
    assert slow.rows >= 36
    assert fast.rows >= slow.rows
    assert fast.batch_rows_per_s is not None
    assert 20 < fast.peak_memory_mb < 1000


def test_one_that_is_wrong_says_so_and_no_other_takes_its_place(tmp_path: Path) -> None:
    with Worker(several(tmp_path), asks=True) as worker:
        worker.candidates()
        worker.prepare(WRONG, 60, measure_s=0.05)
        with pytest.raises(GoldenMismatchError):
            worker.wait_ready()


def test_one_that_dies_is_told_of_as_any_process(tmp_path: Path) -> None:
    with Worker(several(tmp_path), asks=True) as worker:
        worker.candidates()
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(WorkerError, match=r"preparing, the worker process was ended by SIGKILL"):
            worker.prepare(FAST, 60)


def test_where_nothing_is_asked_a_wrong_variant_makes_way_for_the_next(tmp_path: Path) -> None:
    folder = slot(tmp_path, tiny_bundle(variants={"wrong": "wrong", "fast": "good"}))
    with Worker.start(folder) as worker:
        assert worker.info.variant == "fast"
        (note,) = worker.info.notes
    assert note.startswith("wrong does not run, fast does: tiny 1.0.0: expected the source model's")


def test_what_is_preferred_goes_first_and_makes_way_as_well(tmp_path: Path) -> None:
    folder = several(tmp_path)
    with Worker.start(folder, preferred=FAST) as worker:
        assert (worker.info.variant, worker.info.notes) == ("fast", ())
    for gone in (WRONG, Candidate("fast", "tpu"), Candidate("nosuch")):
        with Worker.start(folder, preferred=gone) as worker:
            assert worker.info.variant == "slow"


def test_when_all_fail_every_reason_is_told(tmp_path: Path) -> None:
    folder = slot(tmp_path, tiny_bundle(variants={"wrong": "wrong", "broken": "not_onnx"}))
    told = r"wrong: expected the source.*; broken: .*expected an ONNX file"
    with pytest.raises(EngineError, match=told):
        Worker.start(folder)


@pytest.fixture
def hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the engine `own`, whose import writes its process into this file and hangs."""
    imported = tmp_path / "imported"
    code = f"print(os.getpid(), file=open({str(imported)!r}, 'a')); time.sleep(600)"
    monkeypatch.setenv(*own_engine(tmp_path, imported=code).popitem())
    return imported


def with_theirs_first(tmp_path: Path, **variants: Behaviour) -> Path:
    return slot(tmp_path, tiny_bundle(variants={"theirs": "good", **variants}, on_own={"theirs"}))


def test_an_engine_of_others_is_not_touched_where_ours_is_preferred_or_comes_first(
    tmp_path: Path, hangs: Path
) -> None:
    with Worker.start(with_theirs_first(tmp_path, fast="good"), preferred=FAST) as worker:
        assert (worker.info.variant, worker.info.notes) == ("fast", ())
    last: Mapping[str, Behaviour] = {"fast": "good", "theirs": "good"}
    with Worker.start(slot(tmp_path, tiny_bundle(variants=last, on_own={"theirs"}))) as worker:
        assert worker.info.variant == "fast"
    assert not hangs.exists()


def test_each_engine_is_told_before_it_is_looked_for_and_whose_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*own_engine(tmp_path, why="return 'it is switched off'").popitem())
    told: list[tuple[str, str]] = []
    with Worker(with_theirs_first(tmp_path, fast="good"), asks=True) as worker:
        found = worker.candidates(on_look=lambda looking: told.append((looking.engine, looking.package)))
    assert told == [("own", "ownengine 1.0"), ("onnxruntime", "")]
    why = "needs own (package ownengine 1.0: it is switched off)"
    assert (found.usable, found.passed) == ((FAST,), ((Candidate("theirs"), why),))


@pytest.mark.end_to_end
def test_a_look_in_the_middle_of_a_start_has_a_limit_of_its_own_and_condemns_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Theirs is reached when what is preferred has failed; it takes longer than a load may."""
    folder = with_theirs_first(tmp_path, wrong="wrong")
    looks = tmp_path / "looks"
    why = f"if not os.path.exists({str(looks)!r}): open({str(looks)!r}, 'w'); time.sleep(5)"
    monkeypatch.setenv(*own_engine(tmp_path, why=why).popitem())
    with Worker.start(folder, timeout_s=4, preferred=WRONG) as worker:
        assert worker.info.variant == "theirs"
        (note,) = worker.info.notes
        assert note.startswith("wrong on cpu does not run, theirs does: tiny 1.0.0: expected the source")

    looks.unlink()
    with Worker(folder, preferred=WRONG) as worker:
        killer = threading.Thread(target=lambda: wait_for(looks.exists, "the look") and worker.kill())
        killer.start()
        with pytest.raises(UnavailableError, match=r"in looking for what can run, the worker process"):
            worker.wait_ready()
        killer.join()
