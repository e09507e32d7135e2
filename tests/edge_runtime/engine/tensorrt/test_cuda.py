"""CUDA's runtime: the real library where there is one, and a simulated one for what it may answer."""

import gc
from typing import Any

import numpy as np
import pytest

from edge_runtime.engine.tensorrt import cuda
from edge_runtime.engine.tensorrt.cuda import Cuda
from edge_runtime.errors import EngineError, UnavailableError
from tests.edge_runtime.engine.tensorrt.simulated_gpu import SimulatedCudart


def test_this_machine_has_no_gpu_and_the_reason_is_one_sentence() -> None:
    with pytest.raises(UnavailableError) as caught:
        cuda.find()
    assert "\n" not in str(caught.value)


def test_a_machine_without_the_library_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "_NAMES", ("libcudart-of-nowhere.so",))
    monkeypatch.setattr(cuda, "_WHEELS", ())
    with pytest.raises(UnavailableError, match="pip install nvidia-cuda-runtime"):
        cuda.find()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"status": 35, "driver": 0}, "there is no NVIDIA driver on this machine"),
        (
            {"status": 35, "driver": 12060},
            "the library is of CUDA 13.0, and the driver takes 12.6 at most",
        ),
        ({"status": 100, "count": 0}, "CUDA finds no GPU that this process may use"),
        ({"count": 0}, "CUDA finds no GPU that this process may use"),
        ({"status": 999}, "cudaErrorOfTest, what the test wants (error 999)"),
    ],
)
def test_why_there_is_no_gpu(answer: dict[str, Any], why: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        Cuda(SimulatedCudart(**answer)).gpu()
    assert why in str(caught.value)


def test_the_gpu_is_what_its_attributes_say() -> None:
    found = Cuda(SimulatedCudart()).gpu()
    assert (found.capability, found.cuda) == ("8.6", "13.0")
    assert found.board.endswith("8 multiprocessors")


def test_bytes_go_to_the_device_and_come_back() -> None:
    made = Cuda(SimulatedCudart())
    stream, address = made.stream(), made.allocate(48)
    sent, back = np.arange(12, dtype=np.float32).reshape(3, 4), np.zeros((3, 4), np.float32)
    made.to_device(address, sent, stream)
    made.to_host(back, address, stream)
    made.wait(stream)
    assert np.array_equal(back, sent)
    with pytest.raises(EngineError, match="cudaMemcpyAsync failed: cudaErrorOfTest"):
        made.to_device(address + 1, sent, stream)


def test_memory_that_runs_out_is_an_error() -> None:
    with pytest.raises(EngineError, match="cudaMalloc failed"):
        Cuda(SimulatedCudart(room=10)).allocate(11)


def test_an_array_beside_the_device_lives_as_long_as_its_last_view() -> None:
    library = SimulatedCudart()
    view = Cuda(library).host_array((1, 3), np.dtype(np.float32))[0]
    gc.collect()
    assert view.tolist() == [0, 0, 0]
    assert len(library.host) == 1
    del view
    gc.collect()
    assert not library.host
