"""What a worker's process says: heard line by line, and of bounded length in an error."""

from pathlib import Path

import pytest

from edge_runtime.errors import EngineError, UnavailableError, WorkerError
from edge_runtime.worker import Worker
from tests.support.own_engine import own_engine
from tests.support.slots import slot
from tests.support.tiny_bundle import golden_windows, tiny_bundle
from tests.support.waiting import wait_for

_FILLS_MEMORY = """
for size in (1_000_000, 10_000, 500):
    try:
        while True:
            kept.append(bytearray(size))
    except MemoryError:
        pass
raise MemoryError
"""


def test_of_equal_lines_the_first_is_heard_and_how_many_came_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ONNX Runtime repeats itself where there is too little memory to start it."""
    says = "print(*['Schema error: std::bad_alloc'] * 6, '', 'ready', 'ready', sep='\\n', flush=True)"
    monkeypatch.setenv(*own_engine(tmp_path, load=says).popitem())
    said: list[str] = []
    with Worker.start(slot(tmp_path, tiny_bundle(engine="own")), on_line=said.append):
        pass

    assert said == [
        "Schema error: std::bad_alloc",
        "(the line above 5 times more)",
        "",
        "ready",
        "(the line above once more)",
    ]


def test_a_line_is_heard_before_it_is_known_whether_it_comes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = "print('building', flush=True); time.sleep(60)"
    monkeypatch.setenv(*own_engine(tmp_path, load=says).popitem())
    said: list[str] = []
    worker = Worker(slot(tmp_path, tiny_bundle(engine="own")), on_line=said.append)
    wait_for(lambda: said == ["building"], "its words")
    worker.close()


def test_the_last_words_of_one_that_ended_are_of_bounded_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dies = "if windows[0, 0, 0] > 100:\n    os.write(2, b'x' * 100_000)\n    os._exit(3)"
    monkeypatch.setenv(*own_engine(tmp_path, run=dies).popitem())
    with (
        Worker.start(slot(tmp_path, tiny_bundle(engine="own"))) as worker,
        pytest.raises(WorkerError, match=r"ended with status 3; it said: xxx") as caught,
    ):
        worker.infer(golden_windows()[3:] * 1000)

    assert len(str(caught.value)) < 1_100


def test_a_long_error_of_an_engine_of_others_comes_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raises = "from edge_runtime.errors import EngineError\nraise EngineError('no ' * 100_000)"
    monkeypatch.setenv(*own_engine(tmp_path, load=raises).popitem())
    with pytest.raises(EngineError, match=r"^(no )+\.\.\.$") as caught:
        Worker.start(slot(tmp_path, tiny_bundle(engine="own")))

    assert len(str(caught.value)) < 310


def test_one_that_has_no_memory_left_at_all_still_says_so_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*own_engine(tmp_path, load=_FILLS_MEMORY).popitem())
    said: list[str] = []
    worker = Worker(
        slot(tmp_path, tiny_bundle(engine="own")), max_bytes=150_000_000, on_line=said.append
    )
    with worker, pytest.raises(UnavailableError, match=r"MemoryError.* limit of 150 MB .* was reached"):
        worker.wait_ready()

    assert said == []
