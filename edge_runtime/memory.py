"""Memory that was freed, given back to the system."""

import ctypes
from contextlib import suppress


def return_freed_memory() -> None:
    """Give the system the pages that are free; glibc keeps them for later, perhaps for ever."""
    with suppress(OSError, AttributeError):  # other C libraries do not have it
        ctypes.CDLL(None).malloc_trim(0)
