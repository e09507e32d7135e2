"""Which words of an error say that memory was refused, and whose."""

import pytest

from edge_runtime.memory import says_gpu_refused, says_refused

# ONNX Runtime's of its arenas: of the processor's memory as of a GPU's.
ARENA = (
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running Conv "
    "node. bfc_arena.cc:376 void* onnxruntime::BFCArena::AllocateRawInternal(...) Failed to allocate "
    "memory for requested buffer of size 50331648"
)
CUDA = (
    "cuda_call.cc:116 onnxruntime::CudaCall CUDA failure 2: out of memory ; GPU=0 ; hostname=jetson ; "
    "expr=cudaMalloc((void**)&p, size);"
)


@pytest.mark.parametrize(
    "text",
    [
        ARENA,
        "MemoryError: ",
        "std::bad_alloc",
        "OSError: libonnxruntime.so: failed to map segment from shared object",
        "ImportError: onnxruntime_pybind11_state.so: cannot map zero-fill pages",
        "RuntimeError: can't start new thread",
        "OSError: [Errno 12] Cannot allocate memory",
    ],
)
def test_refused_by_the_machine_or_by_whom_is_not_said(text: str) -> None:
    assert says_refused(text)
    assert not says_gpu_refused(text)


@pytest.mark.parametrize(
    "text",
    [
        CUDA,
        "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0 ; hostname=jetson ; expr=cublasCreate(&h)",
        "CUDNN failure 2: CUDNN_STATUS_ALLOC_FAILED ; GPU=0 ; hostname=jetson ; expr=cudnnCreate(&h)",
        "CUDA: cudaMalloc failed: cudaErrorMemoryAllocation, out of memory (error 2)",
        "Requested amount of GPU memory (57662592 bytes) could not be allocated.",
        "tiny: expected memory for 57662592 bytes on the GPU, found too little: nothing",
        "CUDA out of memory. Tried to allocate 3.00 GiB",
    ],
)
def test_refused_by_a_gpu(text: str) -> None:
    assert says_refused(text)
    assert says_gpu_refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "libgomp.so: cannot allocate memory in static TLS block",
        "CUDA failure 719: unspecified launch failure ; GPU=0 ; hostname=jetson ; expr=cudaStreamSync",
        "the golden outputs differ",
    ],
)
def test_other_faults(text: str) -> None:
    assert not says_refused(text)
