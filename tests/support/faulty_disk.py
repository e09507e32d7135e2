"""A disk that fails, is read-only or is somebody else's: the kernel's own errors, put in by strace."""

from collections.abc import Sequence
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
