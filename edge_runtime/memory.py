"""Memory that was freed, given back to the system, and memory that the system refuses."""

import ctypes
import re
from contextlib import suppress

# How Python, the C++ library, the loader, ONNX Runtime and the C library say that memory was refused.
# ONNX Runtime says it of a GPU's memory in the same words, and a new process helps there, too; a static
# TLS block is full whatever memory there is.
_REFUSED = re.compile(
    "MemoryError|can't start new thread|bad_alloc|failed to map segment"
    "|allocate memory(?! in static TLS)",
    re.IGNORECASE,
)
# What is said of a library that cannot be loaded for it, in place of how to install that.
TOO_LITTLE = "there is too little memory to start it"


def says_refused(text: str) -> bool:
    """Whether these words of an error, with the name of its class, say that memory was refused."""
    return _REFUSED.search(text) is not None


def return_freed_memory() -> None:
    """Give the system the pages that are free; glibc keeps them for later, perhaps for ever."""
    with suppress(OSError, AttributeError):  # other C libraries do not have it
        ctypes.CDLL(None).malloc_trim(0)
