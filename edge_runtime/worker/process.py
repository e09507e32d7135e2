"""The parent's side of a worker: start it, ask it, time it out, and know why it died."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import msgspec
import numpy as np
import numpy.typing as npt

from edge_runtime import __version__, errors
from edge_runtime.errors import EdgeError, UnavailableError, WorkerError
from edge_runtime.worker.limits import default_bytes
from edge_runtime.worker.release import on_disk, other_release
from edge_runtime.worker.wire import Connection, Failed, Infer, Ready, Reply, Result, WireError, unpack

Info = Ready
_STDERR_LINES = 20
_STDERR_LINE_BYTES = 4096
_replies = msgspec.msgpack.Decoder(Reply)


@dataclass(frozen=True)
class Answer:
    """Outputs for n windows: `labels` n class names and `probabilities` float32 (n, classes) of a
    classification or clustering; `values` float64 (n,) or (n, m) of a regression or transformation, and
    the score (n,) of an anomaly model, beside its labels. `latency_us`: the model's run."""

    labels: tuple[str, ...] | None
    probabilities: npt.NDArray[np.float32] | None
    values: npt.NDArray[np.float64] | None
    latency_us: float


class Worker:
    """A child process that holds one model. Ask it from one thread at a time; `kill` from any."""

    def __init__(
        self,
        slot_folder: Path,
        *,
        threads: int = 1,
        board: str = "",
        variant: str = "",
        priority: int = 0,
        max_bytes: int | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        """Start the process; `wait_ready` tells when its model is loaded.

        `board`, `variant`: what this device is and what is to run, as `edge_runtime.load` takes them.
        `priority`: of real-time mode for the thread that predicts, as `edge_runtime.realtime` takes it;
        0 for an ordinary thread. What that lacks is `info.missing`.
        `max_bytes`: the memory it may take, three quarters of the machine's where nothing is said.
        `on_line` hears each line the process writes to its standard output or error.
        """
        self._name = slot_folder.name[:12]
        self._asking = threading.Lock()
        self._info: Info | None = None
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                limit = max_bytes or default_bytes()
                said = [slot_folder.absolute(), threads, limit, board, variant, priority]
                self._child = _Child(theirs, slot_folder, said, on_line)
            except BaseException:
                ours.close()
                raise
        self._connection = Connection(ours)

    @classmethod
    def start(
        cls,
        slot_folder: Path,
        *,
        threads: int = 1,
        board: str = "",
        variant: str = "",
        priority: int = 0,
        timeout_s: float = 60,
        max_bytes: int | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> "Worker":
        """Load an unpacked bundle in a new process and replay its golden inputs; see `wait_ready`."""
        worker = cls(
            slot_folder,
            threads=threads,
            board=board,
            variant=variant,
            priority=priority,
            max_bytes=max_bytes,
            on_line=on_line,
        )
        try:
            worker.wait_ready(timeout_s)
        except BaseException:
            worker.close()
            raise
        return worker

    def wait_ready(self, timeout_s: float = 60) -> None:
        """Wait until the model is loaded and gave its golden outputs.

        Raises what the child raised (BundleError, EngineError, GoldenMismatchError …), UnavailableError
        when the package is another by now, or WorkerError when it died or was not ready within
        `timeout_s`.
        """
        try:
            info = self._hear(timeout_s, "loading")
        except EdgeError as error:  # in the middle of an upgrade it may be of two releases at once
            if told := other_release(__version__, on_disk()):
                raise UnavailableError(told) from error
            raise
        assert isinstance(info, Ready)
        self._info = info
        self._name = info.name

    @property
    def info(self) -> Info:
        """What the process loaded; there is none before it is ready."""
        assert self._info is not None
        return self._info

    @property
    def ready(self) -> bool:
        """Whether its model is loaded and has given its golden outputs."""
        return self._info is not None

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.alive

    def infer(self, windows: npt.NDArray[np.float32], timeout_s: float = 10) -> Answer:
        """Run the model on windows float32 (n, length, channels).

        Raises InputError or EngineError when the model refuses them and lives on, WorkerError when the
        process died or did not answer in time; then it is gone.
        """
        request = Infer(windows.shape, np.ascontiguousarray(windows, np.float32).tobytes())
        with self._asking:
            self._child.forget_words()
            with contextlib.suppress(WireError):  # what became of the process tells the reason
                self._connection.send(request, timeout_s)
            result = self._hear(timeout_s, "a run")
        assert isinstance(result, Result)
        return Answer(
            labels=result.labels,
            probabilities=unpack(result.probabilities, np.float32),
            values=unpack(result.values, np.float64),
            latency_us=result.latency_us,
        )

    def kill(self) -> None:
        """SIGKILL, now; a run in progress raises WorkerError."""
        self._child.kill()

    def close(self) -> None:
        """End the process and wait for it."""
        self._connection.close()
        self._child.end()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _hear(self, timeout_s: float, what: str) -> Reply:
        """The child's reply; raises what it reports. A child that does not reply is ended."""
        try:
            reply: Reply = _replies.decode(self._connection.receive(timeout_s))
        except TimeoutError as error:
            self._child.end()
            raise WorkerError(
                f"{self._name}: {what} took more than {timeout_s:g} s, so worker process {self.pid} was "
                "ended."
            ) from error
        except (WireError, msgspec.DecodeError) as error:
            ending = self._child.last_words()
            raise WorkerError(f"{self._name}: in {what}, worker process {self.pid} {ending}.") from error
        if isinstance(reply, Failed):
            raise _error(reply)
        return reply


class _Child:
    """The process and the thread that started it and reads its words.

    They belong together: the kernel's parent-death signal comes when the starting *thread* ends, so
    that thread lives exactly as long as the process does.
    """

    def __init__(
        self,
        theirs: socket.socket,
        folder: Path,
        said: Sequence[object],
        on_line: Callable[[str], None] | None,
    ) -> None:
        """`said`: what follows PARENT on the command line."""
        self._on_line = on_line
        self._tail: deque[str] = deque(maxlen=_STDERR_LINES)
        self._process: subprocess.Popen[bytes] | None = None
        self._fault: OSError | None = None
        self._started = threading.Event()
        arguments = [__version__, theirs.fileno(), os.getpid(), *said]
        command = [sys.executable, "-m", "edge_runtime.worker", *map(str, arguments)]
        self._keeper = threading.Thread(
            target=self._keep, args=(command, theirs.fileno()), name="worker-keeper", daemon=True
        )
        self._keeper.start()
        self._started.wait()
        if self._process is None:
            raise EdgeError(f"{folder}: no process can be started: {self._fault}.") from self._fault

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._keeper.is_alive()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()  # not sent to a process that was waited for already

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
        status = self._process.returncode
        how = f"was ended by {_signal_name(-status)}" if status < 0 else f"ended with status {status}"
        return f"{how}{'; it said: ' + ' / '.join(list(self._tail)[-3:]) if self._tail else ''}"

    def _keep(self, command: list[str], descriptor: int) -> None:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(descriptor,),
                env={**os.environ, "PYTHONSAFEPATH": "1"},  # nothing is imported from where we stand
            )
        except OSError as error:
            self._fault = error
            self._started.set()
            return
        self._process = process
        self._started.set()
        assert process.stdout is not None
        with process.stdout as words:
            while line := words.readline(_STDERR_LINE_BYTES):
                text = line.decode(errors="replace").rstrip()
                self._tail.append(text)
                if self._on_line:
                    self._on_line(text)
        process.wait()


def _error(failed: Failed) -> EdgeError:
    kind = getattr(errors, failed.kind, None)
    if isinstance(kind, type) and issubclass(kind, EdgeError):
        return kind(failed.text)
    return WorkerError(failed.text)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
