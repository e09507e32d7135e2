"""How much memory a worker may take: a model that asks for all there is must not take the device along.

Without a limit Linux promises more than it has, and when a model uses what it was promised the kernel
ends some process, which need not be the model's.
"""

import os
import resource


def default_bytes() -> int:
    """Three quarters of the machine's memory: the rest is for the agent and the system."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4 * 3


def limit_memory(max_bytes: int) -> None:
    """Let this process have at most so much memory of its own; what exceeds it fails to allocate.

    RLIMIT_DATA counts heap and anonymous mappings (Linux 4.7, getrlimit(2)), but no mapped libraries.
    """
    _, hardest = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = max_bytes if hardest == resource.RLIM_INFINITY else min(max_bytes, hardest)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
