"""How much memory a worker may take: a model that asks for all there is must not take the device along.

Without a limit Linux promises more than it has, and when a model uses what it was promised the kernel
ends some process, which need not be the model's.
"""

import os
import re
from contextlib import suppress

from edge_runtime.memory import says_gpu_refused, says_refused
from edge_runtime.telemetry.health import data_bytes

# How code ends that does not look whether it was given the memory, and what Python says of code in C
# that failed and did not say why.
_CRASHED = re.compile("ended by SIG(SEGV|ABRT|BUS)|SystemError: .*without .*exception")
_NEAR = 0.9  # of the limit
_ASKED = re.compile(r"memory for requested buffer of size (\d+)")  # ONNX Runtime, of any memory


def default_bytes() -> int:
    """Three quarters of the machine's memory: the rest is for the agent and the system."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4 * 3


def refused(text: str, max_bytes: int | None, most_bytes: int = 0, *, engine_alone: bool = False) -> str:
    """`text` with a sentence on whose memory was refused, if it says that some was; else ''.

    `max_bytes`: None for a worker that nobody has given a limit. `most_bytes`: the most that it had.
    `engine_alone`: nothing of the model was loaded yet, so no variant would be small enough.
    """
    if not says_refused(text):
        return ""
    size = f"{(max_bytes or default_bytes()) / 1e6:,.0f} MB"
    name = "`memory_mb`" if max_bytes else "three quarters of the machine's"
    if reached(text, max_bytes, most_bytes):
        if not max_bytes:
            remedy = "run a smaller variant"
        elif engine_alone:
            remedy = "raise it, the engine alone takes more: ONNX Runtime about 75 MB"
        else:
            remedy = "raise it, or run a smaller variant"
        told = f"The memory limit of {size} ({name}) was reached: {remedy}."
    elif says_gpu_refused(text):
        told = "The GPU has too little free memory: end what else uses it, or run a smaller variant."
    else:
        told = (
            f"The memory limit of {size} ({name}) was not reached: the machine, or its GPU, has too "
            "little free memory. End other programs, or run a smaller variant."
        )
    return f"{text.rstrip('.: ')}. {told}"


def reached(text: str, max_bytes: int | None, most_bytes: int = 0) -> bool:
    """Whether it was the limit that refused memory: not a GPU, and not what would have fitted."""
    asked = _ASKED.search(text)
    if says_gpu_refused(text) or not says_refused(text):
        return False
    return not (asked and most_bytes) or most_bytes + int(asked[1]) > (max_bytes or default_bytes())


def crashed(text: str, max_bytes: int | None) -> str:
    """How a process ended, or what it says went wrong, with the limit that may have been the reason."""
    if max_bytes is None or not _CRASHED.search(text) or says_refused(text):
        return text
    return f"{text.rstrip('. ')}. {_perhaps(max_bytes)}"


def near(max_bytes: int | None, process: int) -> str:
    """A sentence on the limit of a process that does not answer, if it is near one; else ''.

    Native code that is refused memory may ask for it for ever. To be asked before the process is ended.
    """
    with suppress(OSError, ValueError, IndexError):
        if max_bytes is not None and data_bytes(process) > _NEAR * max_bytes:
            return _perhaps(max_bytes)
    return ""


def _perhaps(max_bytes: int) -> str:
    return f"Its memory limit of {max_bytes / 1e6:,.0f} MB (`memory_mb`) may be the reason."
