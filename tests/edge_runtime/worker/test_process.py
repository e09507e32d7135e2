"""A worker process, real: what it answers, and what happens when it does not."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import (
    BundleError,
    EdgeError,
    EngineError,
    GoldenMismatchError,
    InputError,
    WorkerError,
)
from edge_runtime.worker import Worker
from tests.support.graphs import anomaly_windows
from tests.support.own_engine import own_engine
from tests.support.refusing import refusing_windows
from tests.support.several import two_values
from tests.support.slots import slot
from tests.support.tiny_bundle import (
    CLASSES,
    MODEL_FILE,
    Behaviour,
    TinyModel,
    golden_windows,
    tiny_bundle,
)


def wait_for(condition: Callable[[], object], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def runs(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    with Worker.start(slot(tmp_path, tiny_bundle())) as worker:
        yield worker


def test_it_answers_as_the_model_does_and_says_what_it_is(worker: Worker, tmp_path: Path) -> None:
    windows = golden_windows()
    answer = worker.infer(windows)
    labels, probabilities = TinyModel()(windows)
    assert answer.labels == tuple(CLASSES[label] for label in labels)
    assert answer.probabilities is not None
    np.testing.assert_allclose(answer.probabilities, probabilities, atol=1e-6)
    assert answer.values is None
    assert answer.latency_us > 0
    info = worker.info
    assert (info.name, info.version, info.golden_count, info.engine) == (
        "tiny",
        "1.0.0",
        6,
        "onnxruntime",
    )
    assert (tmp_path / info.digest).is_dir()


def test_an_anomaly_model_answers_with_label_and_score(tmp_path: Path) -> None:
    bundle = anomaly_windows(tmp_path / "anomaly.edge").read_bytes()
    windows = np.zeros((3, 4, 2), np.float32) + np.float32([[[1]], [[0]], [[2]]])
    with Worker.start(slot(tmp_path, bundle)) as worker:
        answer = worker.infer(windows)

    assert (worker.info.task, worker.info.classes) == ("anomaly", ("anomaly", "normal"))
    assert answer.labels == ("normal", "normal", "anomaly")
    assert answer.values is not None
    assert answer.values.tolist() == [0, 1, -1]
    assert answer.probabilities is None


def test_several_outputs_of_values_have_no_room_in_an_answer(tmp_path: Path) -> None:
    bundle = two_values(tmp_path / "two.edge").read_bytes()
    windows = np.zeros((1, 4, 2), np.float32)
    with Worker.start(slot(tmp_path, bundle)) as worker:
        for _ in range(2):
            with pytest.raises(EngineError, match="a model of one output of values, found 2: mean, sum"):
                worker.infer(windows)


def test_a_refused_window_does_not_end_it(worker: Worker) -> None:
    with pytest.raises(InputError, match=r"expected shape \(n, 4, 2\), found \(1, 5, 2\)"):
        worker.infer(np.zeros((1, 5, 2), np.float32))
    assert worker.infer(golden_windows()).labels is not None


def test_a_window_that_the_model_refuses_does_not_end_it(tmp_path: Path) -> None:
    bundle = refusing_windows(tmp_path / "tiny.edge").read_bytes()
    windows = golden_windows()
    windows[2, 1, 0] = 101
    with Worker.start(slot(tmp_path, bundle)) as worker:
        with pytest.raises(InputError, match=r"^windows\[2\]: a value above 100\. The model was not"):
            worker.infer(windows)
        assert worker.alive
        assert worker.infer(golden_windows()).labels is not None


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [("wrong_goldens", GoldenMismatchError), ("fails", EngineError), ("not_onnx", EngineError)],
)
def test_a_bad_model_is_refused_with_the_childs_own_error(
    tmp_path: Path, behaviour: Behaviour, error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"tiny 1\.0\.0"):
        Worker.start(slot(tmp_path, tiny_bundle(behaviour=behaviour)))


def test_it_is_ready_once_it_has_given_its_golden_outputs(tmp_path: Path) -> None:
    with Worker(slot(tmp_path, tiny_bundle())) as worker:
        assert (worker.alive, worker.ready) == (True, False)
        worker.wait_ready()
        assert worker.ready


def test_it_runs_what_was_made_for_its_board_only(tmp_path: Path) -> None:
    folder = slot(tmp_path, tiny_bundle(boards=("pi5",)))

    with Worker.start(folder, board="pi5") as worker:
        assert worker.info.variant == "fp32"
    with pytest.raises(EngineError, match=r"fp32 is made for pi5 \(this is pi4\)"):
        Worker.start(folder, board="pi4")


def test_an_altered_file_is_refused(tmp_path: Path) -> None:
    folder = slot(tmp_path, tiny_bundle())
    model = folder / MODEL_FILE
    model.chmod(0o644)
    raw = bytearray(model.read_bytes())
    raw[100] ^= 1
    model.write_bytes(raw)
    with pytest.raises(BundleError):
        Worker.start(folder)


def test_a_model_that_hangs_is_ended(tmp_path: Path) -> None:
    worker = Worker(slot(tmp_path, tiny_bundle(behaviour="hangs")), subject="tiny 1.0.0")
    ended = r"^tiny 1\.0\.0: loading took more than 1\.5 s, so the worker process was ended"
    with pytest.raises(WorkerError, match=ended):
        worker.wait_ready(1.5)
    assert not worker.alive
    worker.close()


def test_a_killed_worker_is_told_of_by_its_signal(worker: Worker) -> None:
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(
        WorkerError, match=r"tiny 1\.0\.0: in a run, the worker process was ended by SIGKILL"
    ):
        worker.infer(golden_windows())
    assert not worker.alive


def test_a_stopped_worker_is_ended_after_the_time_out(worker: Worker) -> None:
    os.kill(worker.pid, signal.SIGSTOP)
    with pytest.raises(WorkerError, match=r"a run took more than 0\.2 s \(`run_timeout_s`\), so"):
        worker.infer(golden_windows(), timeout_s=0.2)
    assert not worker.alive


def test_interrupts_are_for_the_parent_to_decide(worker: Worker) -> None:
    os.kill(worker.pid, signal.SIGINT)
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.infer(golden_windows()).labels is not None


@pytest.mark.parametrize("left", [0, 2])  # none for the connection; none for the process
def test_without_descriptors_for_a_process_it_says_so_and_leaves_none_behind(
    tmp_path: Path, left: int
) -> None:
    folder = slot(tmp_path, tiny_bundle())
    before = os.listdir("/proc/self/fd")
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)  # of those that are free
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + left, most))
    try:
        with pytest.raises(EdgeError, match=r"no worker process can be started for it: .*Too many open"):
            Worker(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    assert os.listdir("/proc/self/fd") == before


def test_it_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    folder = slot(tmp_path, tiny_bundle())
    started: list[Worker] = []
    thread = threading.Thread(target=lambda: started.append(Worker.start(folder)))
    thread.start()
    thread.join()
    with started[0] as worker:
        assert worker.infer(golden_windows()).labels is not None


PARENT = """
import sys, time
from pathlib import Path
from edge_runtime.worker import Worker
worker = Worker(Path(sys.argv[1]))
if sys.argv[2] == "ready":
    worker.wait_ready()
print(worker.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(("behaviour", "when"), [("good", "ready"), ("hangs", "at once")])
def test_it_dies_with_a_killed_parent(tmp_path: Path, behaviour: Behaviour, when: str) -> None:
    folder = slot(tmp_path, tiny_bundle(behaviour=behaviour))
    command = [sys.executable, "-c", PARENT, str(folder), when]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert runs(pid)
        parent.kill()
    wait_for(lambda: not runs(pid))


def test_what_libraries_print_cannot_spoil_answers(worker: Worker) -> None:
    stdin, stdout, stderr = (os.readlink(f"/proc/{worker.pid}/fd/{number}") for number in range(3))
    assert stdin == "/dev/null"
    assert stdout == stderr
    assert stdout.startswith("pipe:")


def test_what_a_model_has_started_ends_with_it_and_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the pipe that we read the process's words from."""
    waited = tmp_path / "waited"
    command = ["sh", "-c", f"sleep 5; touch {waited}"]
    starts = f"kept.append(subprocess.Popen({command})); print(kept[-1].pid, flush=True)"
    monkeypatch.setenv(*own_engine(tmp_path, load=starts, run="time.sleep(60)").popitem())
    said: list[str] = []
    worker = Worker(slot(tmp_path, tiny_bundle(engine="own")), on_line=said.append)

    with pytest.raises(WorkerError, match=r"loading took more than 2 s"):
        worker.wait_ready(2)

    wait_for(lambda: not runs(int(said[0])))
    assert not waited.exists()  # and that is not its own
    assert not worker.alive
    worker.close()


def test_a_model_that_lets_nobody_else_have_the_interpreter_is_ended_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C code that never returns and never lets go of it: nothing in the process can help."""
    never = "if windows[0, 0, 0] > 100: ctypes.PyDLL(None).pause()"
    monkeypatch.setenv(*own_engine(tmp_path, run=never).popitem())
    told = r"a run took more than 0\.5 s \(`run_timeout_s`\), so the worker process was ended\.$"
    with Worker.start(slot(tmp_path, tiny_bundle(engine="own"))) as worker:
        with pytest.raises(WorkerError, match=told):
            worker.infer(golden_windows()[3:] * 1000, timeout_s=0.5)
        assert not worker.alive


def test_nobody_waits_for_the_end_of_one_that_is_dismissed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that keeps it is held at one of its lines."""
    monkeypatch.setenv(*own_engine(tmp_path, load="print('loads', flush=True)").popitem())
    free = threading.Event()

    def held(_line: str) -> None:
        free.wait(10)

    worker = Worker(slot(tmp_path, tiny_bundle(engine="own")), on_line=held)
    worker.wait_ready()

    worker.dismiss()

    assert worker.alive  # as far as is known: it was not waited for
    wait_for(lambda: not runs(worker.pid))
    free.set()
    worker.close()
    assert not Path(f"/proc/{worker.pid}").exists()
