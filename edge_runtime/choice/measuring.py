"""Every candidate of a bundle proves itself and is timed, in the very process that would serve it."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec

from edge_runtime.choice.decision import Measured, able, contenders, faster
from edge_runtime.choice.turn import in_turn
from edge_runtime.engine.candidate import Candidate, none_runs
from edge_runtime.engine.registry import TIMEOUT_S
from edge_runtime.errors import EdgeError, EngineError, WorkerError
from edge_runtime.worker import Worker
from edge_runtime.worker.wire import Found, Looking

Say = Callable[[str], None]
# How many times as long as is asked for a slow model may be measured, its warm-up included.
_LONGEST = 20


class Start(Protocol):
    """Starts a worker as it is configured."""

    def __call__(
        self,
        folder: Path,
        /,
        *,
        subject: str = "",
        asks: bool = False,
        preferred: Candidate | None = None,
    ) -> Worker: ...


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds: for a load with the golden inputs; for what comes before it, such as building a plan; for
    timing rows of one candidate, and batches; for all candidates, preparing and looking not counted; for
    another model that is measured to end."""

    load_s: float = 60.0
    prepare_s: float = 2_000.0  # what builds has its own limit, which says more
    measure_s: float = 0.5
    batch_s: float = 0.0
    total_s: float = 300.0
    turn_s: float = 300.0


class Cancelled(Exception):  # noqa: N818 (nothing went wrong)
    """Whoever wanted a worker does not any more."""


class Held:
    """The one worker that loads. `cancel` from any thread ends it, and lets no other start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._cancelled = False

    def start(self, make: Callable[[], Worker]) -> Worker:
        """Another worker, in place of the one before. Raises Cancelled."""
        self.close()
        with self._lock:
            if self._cancelled:
                raise Cancelled
            self._worker = make()
            return self._worker

    @property
    def is_ready(self) -> bool:
        """Whether there is a worker that could serve."""
        worker = self._worker
        return worker is not None and worker.ready and worker.alive

    def check(self) -> None:
        """Raise Cancelled if it was."""
        if self._cancelled:
            raise Cancelled

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Raise Cancelled in place of what a worker that was killed for it raises."""
        try:
            yield
        except EdgeError:
            self.check()
            raise

    def take(self) -> Worker | None:
        """The worker, which is the caller's now."""
        with self._lock:
            worker, self._worker = self._worker, None
        return worker

    def close(self) -> None:
        """End the worker and wait for it."""
        if (worker := self.take()) is not None:
            worker.close()

    def cancel(self) -> None:
        """See above; does not wait."""
        with self._lock:
            self._cancelled = True
            if self._worker is not None:
                self._worker.kill()


def measure(
    subject: str,
    folder: Path,
    start: Start,
    held: Held,
    *,
    limits: Limits,
    say: Say = lambda _: None,
    alone_too: bool = False,
) -> tuple[Measured, ...]:
    """Let each candidate of an unpacked bundle give its golden outputs, and time those that do.

    All candidates in the author's order, then what is none here. What fails for one is its `why_not`.
    Those near the fastest are timed a second time, and the faster counts: what else the machine did
    while one of them had its turn is not to decide for good.
    One alone is not timed, unless `alone_too`: its process stays in `held`, ready to serve.
    Raises what the only one did; EngineError, or WorkerError where a process died or took too long, that
    says of each why not, when none can serve; BundleError when a file was altered; Cancelled.
    """

    def tell(words: str) -> None:
        say(f"{subject}: {words}")

    with held.watched():
        turns = _Turns(folder, partial(start, subject=subject), held, limits, tell)
        worker, found = turns.first()
        passed = [Measured(candidate=candidate, why_not=why) for candidate, why in found.passed]
        if len(found.usable) == 1 and not alone_too:
            (only,) = found.usable
            turns.prepare(worker, only)
            worker.wait_ready(limits.load_s)
            return (_row(only, worker), *passed)
        rows = []
        with in_turn(limits.turn_s, held.check, tell):
            tell(f"measures {', '.join(map(str, found.usable))}")
            for number, candidate in enumerate(found.usable):
                rows.append(turns.turn(candidate, worker if number == 0 else None))
                tell(_told(rows[-1]))
            rows = turns.again(rows)
            held.close()
        if not able(rows):
            raise none_runs(subject, turns.failed)
        return (*rows, *passed)


class _Turns:
    """Candidates one after the other, each in a process of its own; `failed`: why some cannot serve."""

    def __init__(self, folder: Path, start: Start, held: Held, limits: Limits, tell: Say) -> None:
        self.failed: dict[Candidate, EngineError | WorkerError] = {}
        self._folder, self._start, self._held = folder, start, held
        self._limits, self._tell = limits, tell
        self._prepared: tuple[Candidate, ...] = ()
        self._spent_s = 0.0

    def first(self) -> tuple[Worker, Found]:
        """A process that waits to be told its candidate, and those that it could run."""
        worker = self._asking(None)
        found = worker.candidates(on_look=self._tell_look)
        self._prepared = found.prepared
        return worker, found

    def prepare(
        self, worker: Worker, candidate: Candidate, *, measure_s: float = 0.0, batch_s: float = 0.0
    ) -> None:
        """See `Worker.prepare`; what may take minutes is told before."""
        limit_s = self._limits.prepare_s
        if candidate in self._prepared:
            self._tell(f"prepares {candidate}, up to {limit_s / 60:.0f} min")
        worker.prepare(candidate, limit_s, measure_s=measure_s, batch_s=batch_s)

    def turn(self, candidate: Candidate, worker: Worker | None) -> Measured:
        """One candidate, in the process that asks, or else in another."""
        try:
            return self._timed(candidate, worker)
        except (EngineError, WorkerError) as error:
            self._held.check()
            self.failed[candidate] = error
            return Measured(candidate=candidate, why_not=str(error))

    def again(self, rows: Sequence[Measured]) -> list[Measured]:
        """Those of `rows` that are near the fastest once more, from the last to the first."""
        again = contenders(rows)[::-1]
        if again:
            self._tell(f"measures again {', '.join(map(str, again))}: their times are near")
        found = {row.candidate: row for row in rows}
        for candidate in again:
            if self._is_over:
                break  # what was found at first counts
            found[candidate] = faster(found[candidate], self.turn(candidate, None))
            self._tell(_told(found[candidate]))
        return list(found.values())

    @property
    def _is_over(self) -> bool:
        """Whether the time for all is."""
        return self._spent_s > self._limits.total_s

    def _timed(self, candidate: Candidate, worker: Worker | None) -> Measured:
        limits = self._limits
        if self._is_over:
            raise WorkerError(
                f"it was not measured: those before it took {self._spent_s:.0f} s, where "
                f"{limits.total_s:g} s are allowed for all."
            )
        if worker is None:  # the process before has told of the others
            worker = self._asking(candidate)
            worker.candidates()
        self.prepare(worker, candidate, measure_s=limits.measure_s, batch_s=limits.batch_s)
        began = time.monotonic()
        measuring_s = _LONGEST * (limits.measure_s + limits.batch_s)
        try:
            worker.wait_ready(limits.load_s + measuring_s, "loading and measuring")
        finally:
            self._spent_s += time.monotonic() - began
        return _row(candidate, worker)

    def _asking(self, candidate: Candidate | None) -> Worker:
        """A process that asks; `candidate`: the one that it is to look for alone."""
        return self._held.start(lambda: self._start(self._folder, asks=True, preferred=candidate))

    def _tell_look(self, looking: Looking) -> None:
        if looking.package:
            self._tell(
                f"tries the engine {looking.engine} of the package {looking.package}, up to "
                f"{TIMEOUT_S:.0f} s"
            )


def _row(candidate: Candidate, worker: Worker) -> Measured:
    info = worker.info
    row = Measured(
        candidate=candidate, load_ms=info.load_ms, golden_max_abs_error=info.golden_max_abs_error
    )
    if (figures := info.figures) is None:
        return row
    return msgspec.structs.replace(
        row,
        p50_us=figures.p50_us,
        p99_9_us=figures.p99_9_us,
        memory_mb=figures.peak_memory_mb,
        allocated_mb=figures.allocated_mb or None,
        batch_rows_per_s=figures.batch_rows_per_s,
    )


def _told(row: Measured) -> str:
    if row.why_not:
        return f"{row.candidate} cannot serve: {row.why_not}"
    if row.p50_us is None or row.memory_mb is None:
        return f"{row.candidate} gave its golden outputs, and was not timed"
    limited = "" if row.allocated_mb is None else f", {row.allocated_mb:.0f} MB as `memory_mb` counts"
    return f"{row.candidate} takes {row.p50_us:.1f} µs for a row and {row.memory_mb:.0f} MB{limited}"
