"""A handler of signals may raise while ONNX Runtime runs: that is no fault of the model."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import edge_runtime
from edge_runtime.model import Model
from tests.support.tiny_bundle import golden_windows, tiny_bundle

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="Python 3.10 tells no profiler when ONNX Runtime is called"
)

WINDOWS = golden_windows()


class StopError(Exception):
    """What a program's own handler raises."""


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Model]:
    (tmp_path / "tiny.edge").write_bytes(tiny_bundle())
    with edge_runtime.load(tmp_path / "tiny.edge", allow_unsigned=True) as loaded:
        yield loaded


@contextmanager
def signal_in_a_run(error: Exception) -> Iterator[None]:
    """A signal that comes as ONNX Runtime's own code is called, and whose handler raises `error`."""

    def handler(_number: int, _frame: FrameType | None) -> None:
        raise error

    def as_it_is_called(_frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and called.__name__ in ("run", "run_with_iobinding"):
            signal.raise_signal(signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handler)
    sys.setprofile(as_it_is_called)
    try:
        yield
    finally:
        sys.setprofile(None)
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("count", [1, 6])
@pytest.mark.parametrize("kind", [StopError, TimeoutError, RuntimeError])
def test_what_a_handler_raises_comes_out_as_it_is(
    model: Model, kind: type[Exception], count: int
) -> None:
    error = kind("it is time")

    with pytest.raises(kind) as caught, signal_in_a_run(error):
        model.predict(WINDOWS[:count])

    assert caught.value is error
    assert len(model.predict(WINDOWS[:count])) == count  # and the model goes on


def test_of_a_batch_in_parts_too(model: Model) -> None:
    with pytest.raises(StopError), signal_in_a_run(StopError()):
        model.predict(WINDOWS.repeat(20_000, axis=0))
