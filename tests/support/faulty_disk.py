"""A disk that fails, is read-only or is somebody else's: the kernel's own errors, put in by strace."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.programs import program


def faults(call: str, error: str, *, when: str = "1+", paths: Sequence[Path] = ()) -> list[str]:
    """What a command line is to begin with, so that calls of it and its children end with `error`.

    `call` is one system call or several with commas, `when` which of them counts: 3, or 3+ for all from
    there on. With `paths`, only calls on these files count.
    """
    strace = [program("strace"), "--follow-forks", "--quiet=all", "--output=/dev/null"]
    only = [f"--trace-path={path}" for path in paths]
    return [*strace, *only, f"--trace={call}", f"--inject={call}:error={error}:when={when}"]


@contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """Let the kernel refuse this process each read and write of a file that it has open, for a while."""
    opened = [
        int(name)
        for name in os.listdir("/proc/self/fd")
        if os.path.realpath(f"/proc/self/fd/{name}") == os.path.realpath(path)
    ]
    assert opened, f"{path} is not open"
    kept = {descriptor: os.dup(descriptor) for descriptor in opened}
    folder = os.open(path.parent, os.O_RDONLY)
    for descriptor in opened:
        os.dup2(folder, descriptor)
    try:
        yield
    finally:
        for descriptor, copy in kept.items():
            os.dup2(copy, descriptor)
        for descriptor in (folder, *kept.values()):
            os.close(descriptor)
