"""How much memory a worker may take: a model that asks for all there is must not take the device along.

Without a limit Linux promises more than it has, and when a model uses what it was promised the kernel
ends some process, which need not be the model's.
"""

import os
import re

from edge_runtime.memory import says_refused

# How code ends that does not look whether it was given the memory.
_CRASHED = re.compile("ended by SIG(SEGV|ABRT|BUS)")


def default_bytes() -> int:
    """Three quarters of the machine's memory: the rest is for the agent and the system."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4 * 3


def reached(text: str, max_bytes: int | None) -> str:
    """`text` with a sentence that names the limit, if it says that memory was refused; else ''.

    `max_bytes`: None for a worker that nobody has given a limit.
    """
    if not says_refused(text):
        return ""
    size = f"{(max_bytes or default_bytes()) / 1e6:,.0f} MB"
    name, remedy = ("`memory_mb`", "raise it") if max_bytes else ("three quarters of the machine's", "")
    advice = ", or ".join(filter(None, (remedy, "run a smaller variant")))
    return f"{text.rstrip('.: ')}. The memory limit of {size} ({name}) was reached: {advice}."


def crashed(ending: str, max_bytes: int | None) -> str:
    """How a process ended, with the limit that may have been the reason, where it has one."""
    if max_bytes is None or not _CRASHED.search(ending) or says_refused(ending):
        return ending
    size = f"{max_bytes / 1e6:,.0f} MB"
    return f"{ending.rstrip('. ')}. Its memory limit of {size} (`memory_mb`) may be the reason."
