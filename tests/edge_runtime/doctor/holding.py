"""The part of an agent that the doctor sees: a process that holds the agent's lock of a store."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_AGENT = """
import sys, pathlib
sys.path[:] = [folder for folder in sys.path if folder]  # nothing is imported from where we stand
from edge_runtime.store import locks
with locks.held(pathlib.Path(sys.argv[1]), wait_s=5, purpose=""):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holding(
    lock: Path, *, prefix: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Its process id, while it holds `lock`."""
    with subprocess.Popen(
        [*prefix, sys.executable, "-c", _AGENT, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    ) as agent:
        try:
            assert agent.stdout is not None
            assert agent.stdout.readline() == "held\n"
            yield agent.pid
        finally:
            agent.communicate()
