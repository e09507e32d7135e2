"""One configured model in a thread of its own: what serves it, and when another takes its place."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from edge_runtime.agent.books import Books
from edge_runtime.agent.log import say
from edge_runtime.agent.predictor import Predictor
from edge_runtime.agent.serving import Installed, Served, Serving, chooser_of
from edge_runtime.agent.stamp import stamp
from edge_runtime.config import Config, ModelConfig
from edge_runtime.engine.candidate import Candidate
from edge_runtime.errors import EdgeError
from edge_runtime.mqtt import Broker
from edge_runtime.worker import Info, Worker

_WAIT_S = 0.25
_PATIENCE_S = 120.0  # beyond a load and a run: engines that are tried before, a slow disk


class ModelRunner:
    """Runs one model in a thread of its own, whatever becomes of its worker, from `start` to `stop`.

    `chooser`: how its workers are started, and which candidate they run.
    """

    def __init__(self, config: Config, model: ModelConfig, broker: Broker, books: Books) -> None:
        """`broker`: its source's."""
        self.name = model.name
        self._model = model
        self.chooser = chooser_of(model.name, config.board, model)
        self._books = books
        self._serving: Serving | None = None
        self._given: Installed | None = None  # that was last to be served
        self._upcoming: tuple[Installed, Worker | None, Candidate | None, bool, bool] | None = None
        self._introduced: Worker | None = None
        self._leaving: Worker | None = None  # dismissed: its memory goes while the next one predicts
        self._predictor = Predictor(config, model, broker, books, lambda: self._stopping)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._turned_s = math.inf  # when its thread began its last turn
        self._thread = threading.Thread(target=self._run, name=f"model-{model.name}")

    @property
    def trouble(self) -> str:
        """Why nothing answers; '' when all is well."""
        serving = self._serving
        return serving.trouble if serving else ""

    @property
    def fault(self) -> tuple[str, EdgeError] | None:
        """A bundle that could not be started, by its digest, and why; None once its files are others."""
        serving = self._serving
        fault = serving.fault if serving else None
        if serving is None or fault is None or fault[1] != stamp(serving.installed.folder):
            return None
        return serving.installed.digest, fault[0]

    @property
    def version(self) -> str:
        serving = self._serving
        return serving.installed.manifest.version if serving else ""

    @property
    def digest(self) -> str:
        """What answers now; '' when nothing does."""
        serving = self._serving
        return serving.installed.digest if serving and serving.answering else ""

    @property
    def served(self) -> Served | None:
        """What the bundle in use has shown so far; None while what is to be served is not in use yet.

        It may be the same bundle, in the next attempt of its trial.
        """
        serving = self._serving
        if serving is None or serving.installed is not self._given:
            return None
        return Served(serving.installed.digest, serving.predictions, serving.failure)

    @property
    def answering(self) -> Worker | None:
        """The worker that is ready for windows; None where none is."""
        serving = self._serving
        return serving.answering if serving else None

    @property
    def info(self) -> Info | None:
        """What answers now, as its worker told it; None when nothing does."""
        worker = self.answering
        return worker.info if worker else None

    @property
    def candidate(self) -> Candidate | None:
        """Which way of running it answers now; None when nothing does."""
        info = self.info
        return candidate_of(info) if info else None

    @property
    def hears(self) -> bool:
        return self._predictor.hears

    def counters(self) -> dict[str, int]:
        return self._predictor.counters()

    def take_latencies(self) -> list[float]:
        """The model's run time for each window since the last call, in microseconds."""
        return self._predictor.take_latencies()

    @property
    def stalled(self) -> str:
        """Why its thread is given up; '' while it goes round in time.

        Every wait in it has a limit, but for what the kernel never answers, such as the end of a process
        whose driver hangs.
        """
        allowed_s = self._model.load_timeout_s + self._model.run_timeout_s + _PATIENCE_S
        if time.monotonic() - self._turned_s <= allowed_s:
            return ""
        return f"its thread has not gone round for {allowed_s:.0f} s, and no time-out has ended that"

    @property
    def every(self) -> int:
        """Of how many windows one is run."""
        return self._predictor.every

    @property
    def way(self) -> str:
        """How it is run now: `int8 on cpu, 1 of 4 windows`; '' when nothing answers."""
        share = f", 1 of {self.every} windows" if self.every > 1 else ""
        return f"{candidate}{share}" if (candidate := self.candidate) else ""

    def run_every(self, windows: int) -> None:
        """Run one of so many windows from now on; the others are skipped, and counted."""
        self._predictor.every = windows

    def start(self) -> None:
        self._thread.start()

    def serve(
        self,
        installed: Installed,
        worker: Worker | None,
        *,
        preferred: Candidate | None = None,
        on_trial: bool = False,
        first: bool = False,
    ) -> None:
        """Go over to this bundle after the windows in hand; without a ready worker one is started.

        `preferred` is what its workers run first, at later starts, too.
        On trial, a worker that dies or cannot run is not started again; see `served`. `first`: there is
        no version before it that would run then.
        """
        self._given = installed
        with self._lock:
            given_up, self._upcoming = self._upcoming, (installed, worker, preferred, on_trial, first)
        if given_up is not None and given_up[1] is not None:
            given_up[1].close()
        self._nudge()

    def confirmed(self, digest: str) -> None:
        """The trial of the bundle in use is over: from now on its worker is started again."""
        serving = self._serving
        if serving is not None and serving.installed.digest == digest:
            serving.on_trial = False

    @contextmanager
    def giving_up(self, digest: str) -> Iterator[None]:
        """While the bundle in use is removed, and afterwards, no worker is started for it again, and
        what a start finds is not told. Where that raises all is as before.
        """
        serving = self._serving
        if serving is None or serving.installed.digest != digest:
            yield
            return
        serving.given_up = True
        try:
            yield
        except BaseException:
            serving.given_up = False
            raise

    def begin_stop(self) -> None:
        """No new windows; `stop` waits for those in hand."""
        self._stopping = True
        self._nudge()

    def stop(self, patience_s: float) -> None:
        """Finish the windows in hand, or give them up after `patience_s`; close everything."""
        self.begin_stop()
        self._thread.join(patience_s)
        while self._thread.is_alive():
            if serving := self._serving:
                serving.kill()
            self._thread.join(0.2)

    def _run(self) -> None:
        while not self._stopping:
            self._turned_s = time.monotonic()
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 (a fault of ours must not end a model for good)
                fault = f"{type(error).__name__}: {error}"
                self._books.note_once("internal fault", self.name, detail=fault)
                self._wake.wait(1)
        self._close()

    def _turn(self) -> None:
        self._go_over()
        serving = self._serving
        heard = serving is not None and self._predictor.listen(serving.installed.manifest)
        worker = serving.living() if serving else None
        if worker is not None and worker is not self._introduced and not self._stopping:
            self._introduced = worker
            say(f"{self.name} {worker.info.version}: runs, {candidate_of(worker.info)}")
            self._tell_of(worker.info)
        if serving is None or worker is None or not heard:
            self._wake.wait(_WAIT_S)
            self._wake.clear()
        else:
            self._predictor.predict(serving, worker, _WAIT_S)
        self._predictor.tell_losses()
        self._predictor.tell_limit()
        self._predictor.tell_silence()

    def _tell_of(self, info: Info) -> None:
        """Once a version, not at each start: why not a better variant, what real-time mode lacks."""
        if info.notes:
            self._books.note_once("loading note", self.name, info.version, " ".join(info.notes))
        if info.missing:
            self._books.note_once("real-time mode missing", self.name, info.version, info.missing)

    def _go_over(self) -> None:
        """Between two windows: the new worker is ready before the old one goes.

        No window waits for the old one's end, but for that of the one before it: two are never leaving.
        """
        with self._lock:
            upcoming, self._upcoming = self._upcoming, None
        if upcoming is None:
            return
        self._see_off()
        old, self._serving = self._serving, self._keep(*upcoming)
        self._predictor.go_over()
        if old is not None:
            self._leaving = old.dismiss()

    def _see_off(self) -> None:
        if self._leaving is not None:
            self._leaving.close()
            self._leaving = None

    def _keep(
        self,
        installed: Installed,
        worker: Worker | None,
        preferred: Candidate | None,
        on_trial: bool,
        first: bool,
    ) -> Serving:
        return Serving(
            installed,
            worker,
            start=partial(
                self.chooser.start,
                subject=f"{self.name} {installed.manifest.version}",
                preferred=preferred,
            ),
            load_timeout_s=self._model.load_timeout_s,
            note=partial(self._note, installed.manifest.version),
            on_trial=on_trial,
            first=first,
        )

    def _note(self, version: str, event: str, detail: str) -> None:
        self._predictor.counts["worker_restarts"] += event == "worker died"
        self._books.note(event, self.name, version, detail)

    def _nudge(self) -> None:
        self._wake.set()
        self._predictor.wake()

    def _close(self) -> None:
        self._predictor.close()
        if self._serving is not None:
            self._serving.close()
        self._see_off()
        with self._lock:
            upcoming, self._upcoming = self._upcoming, None
        if upcoming is not None and upcoming[1] is not None:
            upcoming[1].close()


def candidate_of(info: Info) -> Candidate:
    """Which way of running it a worker has."""
    return Candidate(info.variant, info.provider)
