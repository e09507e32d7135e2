"""A worker's process as its parent holds it: started, listened to, ended, and asked why it died."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import IO

import msgspec

from edge_runtime import __version__
from edge_runtime.engine.words import one_line
from edge_runtime.errors import EdgeError
from edge_runtime.process import ending
from edge_runtime.worker.wire import Task

_STDERR_LINES, _LAST_LINES = 20, 3
_STDERR_LINE_BYTES = 4096


def none_started(folder: str, fault: object) -> EdgeError:
    """What is raised where the system has no descriptor or process left for a worker."""
    return EdgeError(
        f"{folder}: no worker process can be started for it: {fault}. End other programs, or raise what "
        "this one may have: ulimit -n, ulimit -u; of a service LimitNOFILE and TasksMax."
    )


class Child:
    """The process and the thread that started it and reads its words.

    They belong together: the kernel's parent-death signal comes when the starting *thread* ends, so
    that thread lives exactly as long as the process does. What the process starts is of its group, and
    is ended with it: it may hold the pipe that the thread reads to its end.
    """

    def __init__(self, theirs: socket.socket, task: Task, on_line: Callable[[str], None] | None) -> None:
        self._on_line = on_line
        self._tail: deque[str] = deque(maxlen=_STDERR_LINES)
        self._process: subprocess.Popen[bytes] | None = None
        self._fault: Exception | None = None
        self._started = threading.Event()
        self._reaping = threading.Lock()
        said = [__version__, str(theirs.fileno()), msgspec.json.encode(task).decode()]
        command = [sys.executable, "-m", "edge_runtime.worker", *said]
        self._keeper = threading.Thread(
            target=self._keep, args=(command, theirs.fileno()), name="worker-keeper", daemon=True
        )
        self._keeper.start()
        self._started.wait()
        if self._process is None:
            raise none_started(task.folder, self._fault) from self._fault

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._keeper.is_alive()

    def kill(self) -> None:
        assert self._process is not None
        with self._reaping:  # until it was waited for, its number is nobody else's
            if self._process.returncode is None:
                os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> None:
        self.kill()
        self._keeper.join()

    def forget_words(self) -> None:
        """What was said so far has nothing to do with what may go wrong next."""
        self._tail.clear()

    def last_words(self) -> str:
        """How the process ended and what it said last; one that does not end by itself is ended."""
        self._keeper.join(1)
        self.end()
        assert self._process is not None
        how = ending(self._process.returncode)
        words = " / ".join(one_line(line) for line in list(self._tail)[-_LAST_LINES:])
        return f"{how}; it said: {words}" if words else how

    def _keep(self, command: list[str], descriptor: int) -> None:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(descriptor,),
                env=_environment(),
                start_new_session=True,
            )
        except Exception as error:  # noqa: BLE001 (whoever started it waits to hear of it)
            self._fault = error
            self._started.set()
            return
        self._process = process
        self._started.set()
        assert process.stdout is not None
        with process.stdout as words:
            for text in _without_repeats(_lines(words)):
                self._tail.append(text)
                if self._on_line:
                    self._on_line(text)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with self._reaping:
            process.wait()


def _lines(words: IO[bytes]) -> Iterator[str]:
    """What is said, line by line; long lines in pieces."""
    while line := words.readline(_STDERR_LINE_BYTES):
        yield line.decode(errors="replace").rstrip()


def _without_repeats(lines: Iterable[str]) -> Iterator[str]:
    """Of equal lines that follow each other the first, at once, and then how many came after it."""
    for text, equal in groupby(lines):
        yield text
        if more := sum(1 for _ in equal) - 1:
            yield f"(the line above {'once' if more == 1 else f'{more} times'} more)"


def _environment() -> dict[str, str]:
    """Nothing is imported from where we stand, and numpy keeps no 40 MB for each core but the first."""
    return {"OPENBLAS_NUM_THREADS": "1", **os.environ, "PYTHONSAFEPATH": "1"}
