"""The parent's side of a worker: start it, ask it, time it out, and know why it died."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from edge_runtime import __version__, errors
from edge_runtime.engine.candidate import Candidate
from edge_runtime.errors import EdgeError, UnavailableError, WorkerError
from edge_runtime.worker.child import Child, none_started
from edge_runtime.worker.limits import crashed, default_bytes, near, reached, refused
from edge_runtime.worker.release import on_disk, other_release
from edge_runtime.worker.wire import (
    Attempt,
    Connection,
    Failed,
    Found,
    Infer,
    Looking,
    Ready,
    Reply,
    Result,
    Task,
    WireError,
    unpack,
)

Info = Ready
# What a process finds out before it loads is how this machine is, and not how the model is: its limit is
# another than a load's, for each engine anew. An adapter of others has 20 s to be tried, a provider 60.
_ENGINES_S, _CANDIDATES_S = 60.0, 240.0
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
        subject: str = "",
        threads: int = 1,
        board: str = "",
        variant: str = "",
        provider: str = "",
        preferred: Candidate | None = None,
        asks: bool = False,
        priority: int = 0,
        max_bytes: int | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        """Start the process; `wait_ready` tells when its model is loaded.

        `subject`: what errors call the model before it is loaded, its name and version.
        `board`, `variant`, `provider`: what this device is and what is to run, as `edge_runtime.load`
        takes them. `preferred` is tried first; where it fails, its golden outputs counted, the first of
        the author's order that does not is taken. `asks`: nothing is loaded before `candidates` and
        `prepare` were called; where one is preferred, it is the only one that is looked for.
        `priority`: of real-time mode for the thread that predicts, as `edge_runtime.realtime` takes it;
        0 for an ordinary thread. What that lacks is `info.missing`.
        `max_bytes`: the memory it may take, three quarters of the machine's where nothing is said.
        `on_line` hears each line the process writes to its standard output or error.

        Raises EdgeError where the system starts no process, which says nothing of the bundle.
        """
        self._subject = subject or slot_folder.name[:12]
        self._max_bytes = max_bytes
        self._most_bytes = 0  # that it had when memory was refused, if it told
        self._asking = threading.Lock()
        self._info: Info | None = None
        self._is_looking = True
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise none_started(str(slot_folder), error) from error
        with theirs:
            try:
                task = Task(
                    parent=os.getpid(),
                    folder=str(slot_folder.absolute()),
                    threads=threads,
                    max_bytes=max_bytes or default_bytes(),
                    board=board,
                    variant=variant,
                    provider=provider,
                    preferred=preferred,
                    priority=priority,
                    asks=asks,
                )
                self._child = Child(theirs, task, on_line)
            except BaseException:
                ours.close()
                raise
        self._connection = Connection(ours)

    @classmethod
    def start(cls, slot_folder: Path, *, timeout_s: float = 60, **settings: Any) -> "Worker":
        """Load an unpacked bundle in a new process and replay its golden inputs.

        `settings` are those of `Worker`; raises what `wait_ready` does.
        """
        worker = cls(slot_folder, **settings)
        try:
            worker.wait_ready(timeout_s)
        except BaseException:
            worker.close()
            raise
        return worker

    def candidates(
        self, timeout_s: float = _CANDIDATES_S, on_look: Callable[[Looking], None] = lambda _: None
    ) -> Found:
        """What a process that `asks` could run; `on_look` hears of each engine before it is looked for.

        Raises UnavailableError for nothing, and where it ends or takes more than `timeout_s` for one.
        """
        while isinstance(found := self._hear_looking(timeout_s), Looking):
            on_look(found)
        assert isinstance(found, Found)
        return found

    def prepare(
        self, candidate: Candidate, timeout_s: float, *, measure_s: float = 0.0, batch_s: float = 0.0
    ) -> None:
        """Have a process that `asks` load this candidate; returns when the load begins.

        What takes minutes at an install comes before it. `measure_s`: how long it is measured before it
        is ready, row by row; `batch_s`: in batches. Raises what the child raised, and WorkerError.
        """
        with contextlib.suppress(WireError):  # what became of the process tells the reason
            self._connection.send(
                Attempt(candidate=candidate, measure_s=measure_s, batch_s=batch_s), timeout_s
            )
        self._hear_loading(timeout_s, "preparing")

    def wait_ready(self, timeout_s: float = 60, what: str = "loading") -> None:
        """Wait until the model is loaded and gave its golden outputs; `what` the process does meanwhile.

        The time begins once it has found an engine, which has a limit of its own.

        Raises what the child raised (BundleError, EngineError, GoldenMismatchError …), UnavailableError
        when the package is another by now, memory was refused or it found no engines, or
        WorkerError when it died after that or was not ready within `timeout_s`.
        """
        while not isinstance(info := self._hear_next(timeout_s, what), Ready):
            pass
        self._info = info
        self._subject = f"{info.name} {info.version}"

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

    def ending(self) -> str:
        """How the process ended, and what it said last; one that lives is ended."""
        text = f"the worker process {self._child.last_words()}."
        return refused(text, self._max_bytes) or crashed(text, self._max_bytes)

    def infer(self, windows: npt.NDArray[np.float32], timeout_s: float = 10) -> Answer:
        """Run the model on windows float32 (n, length, channels).

        Raises InputError or EngineError when the model refuses them and lives on, WorkerError when the
        process died, did not answer in time or was refused memory; then it is gone.
        """
        request = Infer(windows.shape, np.ascontiguousarray(windows, np.float32).tobytes())
        with self._asking:
            self._child.forget_words()
            with contextlib.suppress(WireError):  # what became of the process tells the reason
                self._connection.send(request, timeout_s)
            try:
                result = self._hear(timeout_s, "a run", "run_timeout_s")
            except EdgeError as error:
                if told := refused(str(error), self._max_bytes, self._most_bytes):
                    self._child.end()  # what it holds it keeps: another has room for these windows
                    raise WorkerError(told) from error
                raise
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

    def dismiss(self) -> None:
        """End the process, and leave its end to the thread that keeps it; `close` waits for that."""
        self._connection.close()
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

    def _hear_next(self, timeout_s: float, what: str) -> Reply:
        """Of a process that looks for an engine, or loads: the one may begin again after the other."""
        if self._is_looking:
            return self._hear_looking(_ENGINES_S)
        return self._hear_loading(timeout_s, what)

    def _hear_looking(self, timeout_s: float) -> Reply:
        """Nothing of the model is loaded then: a process that ends or hangs is this machine's fault."""
        try:
            return self._hear_loading(timeout_s, "looking for what can run")
        except WorkerError as error:
            raise UnavailableError(str(error)) from error

    def _hear_loading(self, timeout_s: float, what: str) -> Reply:
        try:
            reply = self._hear(timeout_s, what)
        except EdgeError as error:  # in the middle of an upgrade it may be of two releases at once
            if told := other_release(__version__, on_disk()):
                raise UnavailableError(told) from error
            limit = self._max_bytes, self._most_bytes
            if told := refused(str(error), *limit, engine_alone=self._is_looking):
                # What is configured, and what others take, is the device's fault and not the bundle's.
                too_large = self._max_bytes is None and reached(str(error), *limit)
                raise (type(error) if too_large else UnavailableError)(told) from error
            raise
        self._is_looking = isinstance(reply, Looking)
        return reply

    def _hear(self, timeout_s: float, what: str, setting: str = "") -> Reply:
        """The child's reply; raises what it reports. A child that does not reply is ended.

        `setting`: of an agent's configuration, that the time is always from.
        """
        try:
            reply: Reply = _replies.decode(self._connection.receive(timeout_s))
        except TimeoutError as error:
            hint = near(self._max_bytes, self._child.pid)
            self._child.end()
            limit = f"{timeout_s:g} s (`{setting}`)" if setting else f"{timeout_s:g} s"
            raise WorkerError(
                f"{self._subject}: {what} took more than {limit}, so the worker process was "
                f"ended. {hint}".rstrip()
            ) from error
        except (WireError, msgspec.DecodeError) as error:
            ending = self._child.last_words()
            text = f"{self._subject}: in {what}, the worker process {ending}."
            raise WorkerError(crashed(text, self._max_bytes)) from error
        if isinstance(reply, Failed):
            self._most_bytes = reply.most_bytes
            raise _error(reply.kind, crashed(reply.text, self._max_bytes))
        return reply


def _error(name: str, text: str) -> EdgeError:
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, EdgeError):
        return kind(text)
    return WorkerError(text)
