"""A model or a worker that is closed while others still ask it: they get an answer or one error."""

import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import edge_runtime
from edge_runtime.bundle import open_bundle
from edge_runtime.engine.onnxruntime.session import OnnxRuntimeSession
from edge_runtime.worker import Worker
from tests.support.slots import slot
from tests.support.tiny_bundle import Behaviour, TinyModel, golden_windows, tiny_bundle
from tests.support.waiting import wait_for

TIMES = 40  # another place in the run is met each time
CLOSED = "EngineError: tiny 1.0.0, variants/fp32/model.onnx: the model was closed."


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "tiny.edge"
    made.write_bytes(tiny_bundle())
    return made


@pytest.fixture(autouse=True)
def often() -> Iterator[None]:
    """Threads take turns at almost every line."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Asking:
    """Threads that ask again and again until an error comes; each was answered once, if it `answers`."""

    def __init__(self, *questions: Callable[[], Any], answers: bool = True) -> None:
        self.ends: list[BaseException] = []
        self._asked = [threading.Event() for _ in questions]
        self._threads = [
            threading.Thread(target=self._ask, args=each)
            for each in zip(questions, self._asked, strict=True)
        ]
        for thread in self._threads:
            thread.start()
        for asked in self._asked if answers else ():
            assert asked.wait(20)

    def _ask(self, question: Callable[[], Any], asked: threading.Event) -> None:
        try:
            while True:
                question()
                asked.set()
        except BaseException as error:  # noqa: BLE001 (which one is what is looked at)
            self.ends.append(error)
            asked.set()

    def join(self) -> list[str]:
        """Wait for their ends; the errors."""
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()
        return [f"{type(error).__name__}: {error}" for error in self.ends]


def test_a_model_that_is_closed_under_its_callers_answers_them_or_says_that_it_was_closed(
    path: Path,
) -> None:
    windows = np.concatenate([golden_windows()] * 500)
    names = [("still", "moving")[label] for label in TinyModel()(windows)[0]]

    def ask(model: edge_runtime.Model, rows: int) -> None:
        assert model.predict(windows[:rows]).tolist() == names[:rows]

    for _ in range(TIMES):
        model = edge_runtime.load(path, allow_unsigned=True)
        asking = Asking(partial(ask, model, 1), partial(ask, model, 1), partial(ask, model, 3000))
        model.close()
        assert set(asking.join()) == {CLOSED}


@pytest.mark.parametrize("copies", [False, True])
def test_a_row_that_is_closed_while_it_runs_says_so(path: Path, copies: bool) -> None:
    with open_bundle(path, root=None, allow_unsigned=True) as bundle:
        manifest = bundle.manifest
        for _ in range(TIMES):
            session = onnxruntime.InferenceSession(
                TinyModel().graph(), providers=["CPUExecutionProvider"]
            )
            row = OnnxRuntimeSession(
                session, manifest.inputs, manifest.outputs, "tiny", copies=copies
            ).row
            assert row is not None
            asking = Asking(row.run)
            row.close()
            assert asking.join() == ["EngineError: tiny: the model was closed."]


@pytest.mark.parametrize("behaviour", ["good", "hangs_on_large"])
def test_a_worker_that_is_closed_under_its_caller_ends_the_run_at_once(
    tmp_path: Path, behaviour: Behaviour
) -> None:
    folder = slot(tmp_path, tiny_bundle(behaviour=behaviour))
    for _ in range(5):
        worker = Worker.start(folder)
        asking = Asking(partial(worker.infer, golden_windows() * 1000, timeout_s=600), answers=False)
        wait_for(worker._asking.locked, "a run")
        worker.close()
        (end,) = asking.join()
        assert end.startswith("WorkerError: tiny 1.0.0: in a run, the worker process ")
