"""One installed bundle and the worker that runs it, started again whenever it dies."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge_runtime.agent.log import Once, say, warn
from edge_runtime.agent.reasons import reason
from edge_runtime.agent.stamp import stamp
from edge_runtime.bundle.manifest import Manifest
from edge_runtime.choice import record
from edge_runtime.choice.bringing_up import Chooser, Unpacked
from edge_runtime.choice.key import key_of
from edge_runtime.choice.measuring import Limits
from edge_runtime.config import ModelConfig
from edge_runtime.errors import EdgeError
from edge_runtime.worker import Worker

_FIRST_BACK_OFF_S, _MAX_BACK_OFF_S = 0.2, 30.0
_LEAST_RARELY_S, _MOST_RARELY_S = 1.0, 300.0


@dataclass(frozen=True)
class Installed:
    """An installed bundle: its identity, its folder in the store and what its manifest says."""

    digest: str
    folder: Path
    manifest: Manifest

    def unpacked(self, store: Path) -> Unpacked:
        """The same for whoever chooses how it runs."""
        name = self.manifest.name
        return Unpacked(
            subject=f"{name} {self.manifest.version}",
            digest=self.digest,
            folder=self.folder,
            record=record.path_of(store, name, self.digest),
        )


@dataclass(frozen=True)
class Served:
    """What a bundle has shown since it serves; `failure` is why its trial ended, '' while it goes on."""

    digest: str
    predictions: int
    failure: str


def chooser_of(name: str, board: str, model: ModelConfig | None) -> Chooser:
    """How the workers of a model are started and chosen, on trial and later: as configured, if it is."""
    variant, provider = (model and model.variant) or "", (model and model.provider) or ""
    max_bytes = model.memory_mb * 1_000_000 if model and model.memory_mb else None
    return Chooser(
        start=partial(
            Worker,
            board=board,
            variant=variant,
            provider=provider,
            priority=model.realtime.priority if model and model.realtime else 0,
            max_bytes=max_bytes,
            on_line=Once(lambda line: warn(f"{name}: worker: {line}")),
        ),
        key=key_of(
            board=board,
            max_bytes=max_bytes,
            variant=variant,
            provider=provider,
            prefer=model.prefer if model else "speed",
        ),
        limits=Limits(load_s=model.load_timeout_s) if model else Limits(),
        say=Once(say),
    )


def back_off_s(failures: int, most_s: float = _MAX_BACK_OFF_S) -> float:
    """How long to wait after so many failures in a row: not at all after the first, then doubling."""
    if failures < 2:
        return 0.0
    return min(_FIRST_BACK_OFF_S * 2.0 ** min(failures - 2, 20), most_s)


def rarely_s(failures: int) -> float:
    """The same for what may fail for months, where each try loads a model or writes the store, which
    wears a card: from a second to 5 minutes."""
    return max(_LEAST_RARELY_S, back_off_s(failures, _MOST_RARELY_S))


class Serving:
    """Keeps a worker for `installed`; used by one thread, except `kill` and the attributes.

    `note(event, detail)` hears of every death, and why it cannot start, once for each reason. `trouble`
    says why there is no worker now, `fault` is what the last start raised, and of which folder, by its
    stamp. `on_trial`, a worker that dies or cannot run is not started again: `failure` says why, and
    whoever counts the attempts decides, and tells it; `first`: no version before it runs then.
    `predictions` were good. `given_up`: whoever owns the bundle removes it, so no worker is started
    again, and what a start finds now is no news.
    """

    def __init__(
        self,
        installed: Installed,
        worker: Worker | None,
        *,
        start: Callable[[Path], Worker],
        load_timeout_s: float,
        note: Callable[[str, str], None],
        on_trial: bool = False,
        first: bool = False,
    ) -> None:
        self.installed = installed
        self.worker = worker
        self.trouble = ""
        self.fault: tuple[EdgeError, tuple[int, ...]] | None = None
        self.on_trial = on_trial
        self.first = first
        self.given_up = False
        self.failure = ""
        self.predictions = 0
        self._start_worker = start
        self._load_timeout_s = load_timeout_s
        self._note = note
        self._failures = 0
        self._not_before = 0.0
        self._told = ""  # why it cannot start

    @property
    def answering(self) -> Worker | None:
        """The worker that is ready for windows; one that still loads is not.

        Looked at once: the thread that serves may put another in its place, that is not ready yet.
        """
        worker = self.worker
        return worker if worker is not None and worker.ready and worker.alive else None

    def living(self) -> Worker | None:
        """The worker, started again if it died; None while that has to wait or fails."""
        worker = self.worker
        if worker is not None and worker.alive:
            return worker
        if worker is not None:
            self.died(worker.ending())
        # A failure counts on trial only: it may come while somebody confirms what serves.
        over = self.given_up or (self.on_trial and self.failure)
        if over or time.monotonic() < self._not_before:
            return None
        return self._start()

    def died(self, why: str) -> None:
        """Note a death once, however it was found out."""
        worker, self.worker = self.worker, None
        if worker is None:
            return
        worker.close()
        told = f"{why.rstrip('.')} (process {worker.pid})."
        self._wait_longer(why)
        if self.on_trial:
            self.failure = told
        else:
            self._note("worker died", told)

    def fail(self, why: str) -> None:
        """End a trial whose model lives but cannot run."""
        self.failure = self.trouble = why
        self.close()

    def answered(self) -> None:
        self._failures = 0

    def kill(self) -> None:
        if worker := self.worker:
            worker.kill()

    def dismiss(self) -> Worker | None:
        """End the worker without waiting; whoever gets it closes it."""
        worker, self.worker = self.worker, None
        if worker is not None:
            worker.dismiss()
        return worker

    def close(self) -> None:
        if self.worker is not None:
            self.worker.close()
            self.worker = None

    def _start(self) -> Worker | None:
        files = stamp(self.installed.folder)
        try:
            self.worker = self._start_worker(self.installed.folder)
            self.worker.wait_ready(self._load_timeout_s)
        except EdgeError as error:
            self.close()
            if self.given_up:
                return None
            self._tell(str(error))
            self.fault = error, files
            self._wait_longer(str(error))
            return None
        self.fault = None
        self.trouble = self._told = ""
        return self.worker

    def _tell(self, why: str) -> None:
        """Once, though each attempt's words hold another number: it is tried for years."""
        if reason(why) != self._told:
            self._told = reason(why)
            self._note("model cannot start", why)

    def _wait_longer(self, why: str) -> None:
        self._failures += 1
        self.trouble = why
        jitter = random.uniform(0.75, 1.25)  # noqa: S311 (spreads restarts, keeps no secret)
        self._not_before = time.monotonic() + jitter * back_off_s(self._failures)
