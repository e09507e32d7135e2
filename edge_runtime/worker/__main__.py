"""The worker process, for the agent.

    python -m edge_runtime.worker RELEASE SOCKET TASK

TASK is JSON (`wire.Task`), RELEASE is the agent's. A worker of another one says so and ends; the first
two arguments and that reply are therefore the same in every release.

It never outlives its parent: the kernel kills it when the thread that started it ends
(PR_SET_PDEATHSIG), and where that is not known it leaves when its socket closes.
"""

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge_runtime import __version__
from edge_runtime.engine.words import one_line
from edge_runtime.errors import EdgeError, EngineError, WorkerError
from edge_runtime.memory import says_refused
from edge_runtime.process import (
    lift_memory_limit,
    limit_memory,
    most_allocated_bytes,
    stay_tied_to,
)
from edge_runtime.worker.release import other_release
from edge_runtime.worker.wire import (
    Attempt,
    Connection,
    Failed,
    Figures,
    Found,
    Infer,
    Looking,
    Prepared,
    Ready,
    Result,
    Task,
    WireError,
    pack,
)

if TYPE_CHECKING:
    from edge_runtime.engine.loading import Here
    from edge_runtime.model import Inference, Model
    from edge_runtime.worker.proving import Proved

_requests = msgspec.msgpack.Decoder(Infer)


def main() -> None:
    release, descriptor, *said = sys.argv[1:]
    end = socket.socket(fileno=int(descriptor))
    connection = Connection(end)
    if told := other_release(release, __version__):
        with contextlib.suppress(WireError):
            connection.send(Failed("UnavailableError", told))
        return
    task = msgspec.json.decode(said[0], type=Task)
    stay_tied_to(task.parent)
    _go_before_the_agent()
    for number in (signal.SIGINT, signal.SIGTERM):  # our parent decides when we go
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(WireError):
        try:
            # Before there is a limit: for a thread that finds no memory to begin Python waits for ever.
            threading.Thread(target=_leave_with, args=(end,), daemon=True).start()
            limit_memory(task.max_bytes)
            _serve(connection, task)
        except EdgeError as error:
            _say_why(connection, error)
        except Exception as error:  # noqa: BLE001 (it must reach the parent as words)
            _say_why(connection, WorkerError(f"{type(error).__name__}: {one_line(str(error))}"))


def _serve(connection: Connection, task: Task) -> None:
    from edge_runtime.bundle import open_folder
    from edge_runtime.engine.loading import Here
    from edge_runtime.worker.proving import prove, prove_first

    phase = _Phase(connection)
    # The store checked the signature when it installed this folder; digests are checked again here.
    with open_folder(task.folder, root=None, allow_unsigned=True) as bundle:
        told = task.preferred if task.asks else None
        pinned = told.variant if told else task.variant
        here = Here(bundle, board=task.board, pinned=pinned, on_look=phase.looks)
        if task.asks:
            attempt = _asked(connection, here, task)
            proved = prove(here, attempt.candidate, task.threads)
        else:
            attempt = None
            proved = prove_first(here, task.threads, task.provider, task.preferred, phase.loads)
        with proved.model as model:
            figures = _measured(model, attempt) if attempt and attempt.measure_s else None
            with _mode(task.priority) as (missing, collect):
                connection.send(_introduce(proved, missing, figures))
                while True:
                    connection.send(_answer(model, connection.receive()))
                    collect()


class _Phase:
    """Tells the parent whether an engine is looked for or a model is loaded: their limits differ."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_looking = True

    def looks(self, engine: str) -> None:
        """For this engine, from now on."""
        from edge_runtime.engine.registry import package_of

        self._is_looking = True
        self._connection.send(Looking(engine, package_of(engine)))

    def loads(self) -> None:
        """From now on, until another engine is looked for."""
        if self._is_looking:
            self._connection.send(Prepared())
        self._is_looking = False


def _asked(connection: Connection, here: "Here", task: Task) -> Attempt:
    """What the parent would have us load, of all that we could; the long work before it is done then."""
    survey = here.alone(task.preferred) if task.preferred else here.survey(task.provider)
    prepared = tuple(filter(here.prepares, survey.usable))
    connection.send(Found(survey.usable, survey.passed, prepared))
    attempt = msgspec.msgpack.decode(connection.receive(), type=Attempt)
    here.prepare(attempt.candidate)
    connection.send(Prepared())
    return attempt


def _measured(model: "Model", attempt: Attempt) -> Figures:
    from edge_runtime.worker.measuring import measure

    return measure(model, attempt.measure_s, attempt.batch_s)


@contextlib.contextmanager
def _mode(priority: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """What real-time mode lacks, and what to call after each reply: nobody waits for us then.

    Nothing loads in this mode: that takes seconds, in which ordinary work would stand still.
    """
    if priority:
        from edge_runtime.realtime import realtime

        with realtime(priority) as mode:
            yield mode.missing, mode.collect
    else:
        gc.freeze()
        yield "", lambda: None


def _answer(model: "Model", message: bytearray) -> Result | Failed:
    request = _requests.decode(message)
    windows = np.frombuffer(request.data, np.float32).reshape(request.shape)
    try:
        begun = time.perf_counter_ns()
        found = model.infer(windows)
        latency_us = (time.perf_counter_ns() - begun) / 1000
        _check_one_output(found)
    except EdgeError as error:
        return _failed(error)
    return Result(
        labels=None if found.labels is None else tuple(found.labels.tolist()),
        probabilities=pack(found.probabilities, np.float32),
        values=pack(found.values, np.float64),
        latency_us=latency_us,
    )


def _say_why(connection: Connection, error: EdgeError) -> None:
    """The last words of this process, which take memory that there may be none of."""
    lift_memory_limit()
    connection.send(_failed(error))


def _failed(error: EdgeError) -> Failed:
    text = str(error)
    return Failed(type(error).__name__, text, most_allocated_bytes() if says_refused(text) else 0)


def _check_one_output(found: "Inference") -> None:
    """A reply has room for one array of values."""
    if found.by_name is not None:
        raise EngineError(
            f"worker: expected a model of one output of values, found {len(found.by_name)}: "
            f"{', '.join(found.by_name)}. Call it from Python."
        )


def _introduce(proved: "Proved", missing: str, figures: Figures | None) -> Ready:
    model, goldens = proved.model, proved.goldens
    manifest = model.manifest
    return Ready(
        name=manifest.name,
        version=manifest.version,
        release=manifest.release,
        digest=model.digest,
        task=manifest.task,
        classes=manifest.classes,
        variant=model.variant.id,
        provider=model.provider,
        engine=model.variant.engine,
        golden_count=goldens.count,
        golden_max_abs_error=float(goldens.max_abs_error),
        golden_label_disagreements=goldens.label_disagreements,
        load_ms=proved.load_ms,
        notes=proved.notes,
        missing=missing,
        figures=figures,
    )


def _go_before_the_agent() -> None:
    """Short of memory, the kernel takes the model."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as badness:
        badness.write("500")


def _leave_with(end: socket.socket) -> None:
    """End the process when the parent's end closes, even in the middle of an endless run."""
    poll = select.poll()
    poll.register(end.fileno(), select.POLLRDHUP)
    poll.poll()
    os._exit(0)


if __name__ == "__main__":
    main()
