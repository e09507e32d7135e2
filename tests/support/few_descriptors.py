"""A process that may open but a few more files."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def few_descriptors(left: int) -> Iterator[None]:
    """Have the system refuse this process all but so many descriptors more."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)  # of those that are free
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + left, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
