"""A worker has a limit of memory: asking for more is an error of its own, whatever the machine has."""

from pathlib import Path

import pytest

from edge_runtime.errors import EngineError, UnavailableError, WorkerError
from edge_runtime.worker import Worker
from edge_runtime.worker.limits import default_bytes
from tests.support.own_engine import own_engine
from tests.support.slots import slot
from tests.support.tiny_bundle import golden_windows, tiny_bundle
from tests.support.waiting import wait_for

_MB = 1_000_000


def test_three_quarters_of_the_machine_are_allowed_where_nothing_is_said() -> None:
    total = int(Path("/proc/meminfo").read_text().split()[1]) << 10

    assert abs(default_bytes() - total * 3 // 4) < (1 << 20)


@pytest.mark.parametrize("max_mb", [20, 60])
def test_a_process_that_cannot_even_load_within_the_limit_says_so_and_the_bundle_is_not_to_blame(
    tmp_path: Path, max_mb: int
) -> None:
    with pytest.raises(UnavailableError) as caught:
        Worker.start(slot(tmp_path, tiny_bundle()), max_bytes=max_mb * _MB)

    assert str(caught.value).endswith(
        f". The memory limit of {max_mb} MB (`memory_mb`) was reached: raise it, the engine alone takes "
        "more: ONNX Runtime about 75 MB."
    )
    assert "thread" not in str(caught.value), "Python may wait for ever for one that finds no memory"


def test_a_model_that_asks_for_more_while_it_gives_its_goldens_is_told_the_limit(tmp_path: Path) -> None:
    """ONNX Runtime's words for it are the library's own; without a limit it is the bundle's fault."""
    folder = slot(tmp_path, tiny_bundle(behaviour="starves"))

    with pytest.raises(UnavailableError, match=r"Failed to allocate .* limit of 300 MB \(`memory_mb`\)"):
        Worker.start(folder, max_bytes=300 * _MB)
    with pytest.raises(EngineError, match=r"limit of [\d,]+ MB \(three quarters of the mach") as caught:
        Worker.start(folder)
    assert type(caught.value) is EngineError


@pytest.mark.parametrize("max_bytes", [None, 300 * _MB])
def test_code_in_c_that_fails_and_does_not_say_why_names_the_limit_as_a_possible_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_bytes: int | None
) -> None:
    """As ONNX Runtime, whose import may fail so near the limit."""
    raises = "raise SystemError('error return without exception set')"
    monkeypatch.setenv(*own_engine(tmp_path, why=raises).popitem())
    with pytest.raises(UnavailableError, match="error return without exception set") as caught:
        Worker.start(slot(tmp_path, tiny_bundle(engine="own")), max_bytes=max_bytes)

    hint = " Its memory limit of 300 MB (`memory_mb`) may be the reason."
    assert str(caught.value).endswith(hint) == (max_bytes is not None)


_IN_PYTHON = "kept.append(bytearray(5_000_000))"
_IN_CPP = "ctypes.CDLL('libstdc++.so.6')._Znwm(5_000_000)"
_TOLD = """
from edge_runtime.errors import EngineError
try:
    kept.append(bytearray(5_000_000))
except MemoryError:
    raise EngineError("cannot be run: std::bad_alloc")
"""


@pytest.mark.parametrize("leak", [_IN_PYTHON, _IN_CPP, _TOLD])
def test_a_model_that_grows_ends_at_the_limit_which_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leak: str
) -> None:
    """An engine of another package, that leaks in Python or in C++, or tells it as a run that failed:
    the process would live on, and could run nothing any more."""
    monkeypatch.setenv(*own_engine(tmp_path, run=leak).popitem())
    with Worker.start(slot(tmp_path, tiny_bundle(engine="own")), max_bytes=200 * _MB) as worker:

        def serve() -> None:
            for _ in range(1_000):
                worker.infer(golden_windows())

        with pytest.raises(WorkerError, match=r"\w\. The memory limit of 200 MB \(`memory_mb`\)"):
            serve()
        wait_for(lambda: not worker.alive, "its end")


@pytest.mark.parametrize("max_bytes", [None, 200 * _MB])
def test_a_crash_of_code_that_does_not_look_names_the_limit_as_a_possible_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_bytes: int | None
) -> None:
    """It writes to what an allocation gave that was refused: to address 0."""
    writes = "ctypes.memset(0, 1, 1) if windows[0, 0, 0] > 100 else None"
    monkeypatch.setenv(*own_engine(tmp_path, run=writes).popitem())
    with (
        Worker.start(slot(tmp_path, tiny_bundle(engine="own")), max_bytes=max_bytes) as worker,
        pytest.raises(WorkerError, match="was ended by SIGSEGV") as caught,
    ):
        worker.infer(golden_windows()[3:] * 1000)

    hint = " Its memory limit of 200 MB (`memory_mb`) may be the reason."
    assert str(caught.value).endswith(hint) == (max_bytes is not None)


_UP_TO_THE_LIMIT = """
try:
    while True:
        kept.append(bytearray(1_000_000))
except MemoryError:
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("load", "max_bytes", "named"),
    [
        (_UP_TO_THE_LIMIT, 200 * _MB, True),
        ("time.sleep(60)", 200 * _MB, False),
        ("time.sleep(60)", None, False),
    ],
)
def test_a_time_out_near_the_limit_names_it_as_a_possible_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: str, max_bytes: int | None, named: bool
) -> None:
    """As native code that asks for memory again and again."""
    monkeypatch.setenv(*own_engine(tmp_path, load=load).popitem())
    with (
        Worker(slot(tmp_path, tiny_bundle(engine="own")), max_bytes=max_bytes) as worker,
        pytest.raises(WorkerError, match="loading took more than 2 s, so the worker") as caught,
    ):
        worker.wait_ready(2)
    hint = " was ended. Its memory limit of 200 MB (`memory_mb`) may be the reason."
    assert str(caught.value).endswith(hint) == named


def test_what_a_process_takes_does_not_hang_on_the_number_of_cores(tmp_path: Path) -> None:
    """numpy's BLAS would keep 40 MB for each."""
    with Worker.start(slot(tmp_path, tiny_bundle())) as worker:
        threads = Path(f"/proc/{worker.pid}/task")
        assert len(list(threads.iterdir())) == 2  # ours, and the one that leaves with its parent
