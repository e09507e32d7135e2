"""Runs in a process of its own: SIGKILL before every line of the journal, which writes by memory.

A kill before each line of its code that runs is a kill between any two of its stores. After each the
sensor sends again what was not settled, and more; the samples and runs must be those of a life without
a kill. Prints how often it was killed.
"""

import os
import signal
import sys
import tempfile
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from edge_runtime.stream import journal, order
from edge_runtime.stream.decode import Block
from edge_runtime.stream.journal import SampleRing, open_ring
from edge_runtime.stream.order import Order

CAPACITY = 64
_FILES = (journal.__file__, order.__file__)
Held = tuple[list[list[float]], list[tuple[str, int, int, int]]]


def block(segment: str, first: int, samples: int) -> Block:
    numbers = np.arange(first, first + samples, dtype=np.float32)
    return Block(segment, first, np.stack([numbers, -numbers], axis=1), np.zeros(samples))


# In order, early, what was missing, twice, a gap too wide to wait for, and another segment.
SENT = [
    block("walk", 0, 4),
    block("walk", 4, 4),
    block("walk", 10, 2),
    block("walk", 8, 2),
    block("walk", 8, 3),
    block("walk", 40, 3),
    block("run", 0, 3),
    block("run", 3, 2),
]


def main(path: Path) -> int:
    """How often it was killed; raises AssertionError where samples or runs are others."""
    expected = life(path)
    for line in count(1):
        path.unlink(missing_ok=True)
        child = os.fork()
        if not child:
            _count_down(line)
            life(path)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        assert code in (0, -signal.SIGKILL), f"expected a kill or success, found exit code {code}"
        assert life(path) == expected, f"killed before line {line}"
        if code == 0:
            return line - 1
    raise AssertionError


def life(path: Path) -> Held:
    """Open the journal, take in what a sensor sends from the first on, and say what is held then."""
    ring = open_ring(path, CAPACITY, 2, "g")
    taken = Order(ring)
    for each in SENT:
        taken.take(each)
    found = held(ring)
    ring.close()
    return found


def held(ring: SampleRing) -> Held:
    runs = [(run.segment, run.seq, run.start, run.end) for run in ring.runs()]
    samples = [ring.copy(start, end).tolist() for _, _, start, end in runs]
    return [row for each in samples for row in each], [run for run in runs if run[2] < run[3]]


def _count_down(left: int) -> None:
    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in _FILES:
            return None
        if event == "line":
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1]) as folder:
        sys.stdout.write(f"{main(Path(folder) / 'motion.ring')}\n")
