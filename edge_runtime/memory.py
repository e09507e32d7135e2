"""Memory that was freed, given back to the system, and memory that the system refuses."""

import ctypes
import re
from contextlib import suppress

# How Python, the C++ library, the loader, ONNX Runtime and the C library say that memory was refused; a
# static TLS block is full whatever memory there is. ONNX Runtime may mean a GPU's memory by its words.
_REFUSED = re.compile(
    "MemoryError|can't start new thread|bad_alloc|failed to map segment|cannot map zero-fill pages"
    "|allocate memory(?! in static TLS)",
    re.IGNORECASE,
)
# How CUDA, ONNX Runtime, TensorRT and we say it of a GPU's memory.
_REFUSED_BY_GPU = re.compile(
    r"\bCUDA\b.*out of memory|CU(BLAS|DNN)_STATUS_ALLOC_FAILED|GPU memory .*could not be allocated"
    "|expected memory for [0-9]+ bytes on the GPU",
    re.IGNORECASE,
)
# What is said of a library that cannot be loaded for it, in place of how to install that.
TOO_LITTLE = "there is too little memory to start it"


def says_refused(text: str) -> bool:
    """Whether these words of an error, with the name of its class, say that memory was refused."""
    return _REFUSED.search(text) is not None or says_gpu_refused(text)


def says_gpu_refused(text: str) -> bool:
    """Whether they say it of a GPU's memory."""
    return _REFUSED_BY_GPU.search(text) is not None


def return_freed_memory() -> None:
    """Give the system the pages that are free; glibc keeps them for later, perhaps for ever."""
    with suppress(OSError, AttributeError):  # other C libraries do not have it
        ctypes.CDLL(None).malloc_trim(0)
