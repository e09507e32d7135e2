"""One configured model: its sensor's windows go to its worker, predictions go to the outbox."""

import math
import threading
import time
from collections import Counter
from collections.abc import Sequence

import msgspec

from edge_runtime.agent.books import Books
from edge_runtime.agent.brokers import broker
from edge_runtime.agent.log import warn
from edge_runtime.agent.rows import Losses, predictions
from edge_runtime.agent.sensor import Sensor, geometry
from edge_runtime.agent.serving import Installed, Served, Serving
from edge_runtime.bundle.manifest import Manifest
from edge_runtime.config import Config, ModelConfig
from edge_runtime.errors import EdgeError, EngineError, InputError, WorkerError
from edge_runtime.stream.pipeline import Windows
from edge_runtime.stream.window import Cursor
from edge_runtime.telemetry.messages import Row
from edge_runtime.worker import Answer, Worker

BATCH = 32
POISON_AFTER = 3  # workers that one window may take down
_WAIT_S = 0.25


class _Place(msgspec.Struct, frozen=True):
    """Where the next window begins; kept with the predictions, in the same transaction."""

    ring: str
    run: int
    next: int


class ModelRunner:
    """Runs one model in a thread of its own, whatever becomes of its worker, from `start` to `stop`."""

    def __init__(self, config: Config, model: ModelConfig, books: Books) -> None:
        """Raises ConfigError when a file of its source's broker cannot be read."""
        self.name = model.name
        self._broker = broker(model.source)
        self._config = config
        self._model = model
        self._books = books
        self._serving: Serving | None = None
        self._upcoming: tuple[Installed, Worker | None, bool] | None = None
        self._sensor: Sensor | None = None
        self._cursor = Cursor()
        self._counts = Counter(windows=0, predictions=0, dropped=0, failed=0, worker_restarts=0)
        self._losses = Losses(model.name, {})
        self._failures: Counter[str] = Counter()
        self._singles = 0  # windows to be run one by one, because a batch failed
        self._deaths = 0  # in a row, of workers that had one and the same window
        self._latencies: list[float] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"model-{model.name}")

    @property
    def trouble(self) -> str:
        """Why nothing answers; '' when all is well."""
        serving = self._serving
        return serving.trouble if serving else ""

    @property
    def fault(self) -> tuple[str, EdgeError] | None:
        """A bundle that could not be started, by its digest, and why."""
        serving = self._serving
        error = serving.fault if serving else None
        return (serving.installed.digest, error) if serving and error else None

    @property
    def version(self) -> str:
        serving = self._serving
        return serving.installed.manifest.version if serving else ""

    @property
    def digest(self) -> str:
        """What answers now; '' when nothing does."""
        serving = self._serving
        return serving.installed.digest if serving and serving.answers else ""

    @property
    def served(self) -> Served | None:
        """What the bundle in use has shown so far."""
        serving = self._serving
        if serving is None:
            return None
        return Served(serving.installed.digest, serving.predictions, serving.failure)

    @property
    def pid(self) -> int | None:
        serving = self._serving
        worker = serving.worker if serving and serving.answers else None
        return worker.pid if worker else None

    @property
    def hears(self) -> bool:
        sensor = self._sensor
        return sensor is not None and sensor.connected

    def counters(self) -> dict[str, int]:
        sensor = self._sensor
        return {**(sensor.stream.counters() if sensor else {}), **self._counts}

    def take_latencies(self) -> list[float]:
        """The model's run time for each window since the last call, in microseconds."""
        with self._lock:
            taken, self._latencies = self._latencies, []
        return taken

    def start(self) -> None:
        self._thread.start()

    def serve(self, installed: Installed, worker: Worker | None, *, on_trial: bool = False) -> None:
        """Go over to this bundle after the windows in hand; without a ready worker one is started.

        On trial, a worker that dies or cannot run is not started again; see `served`.
        """
        with self._lock:
            self._upcoming = (installed, worker, on_trial)
        self._nudge()

    def confirmed(self, digest: str) -> None:
        """The trial of the bundle in use is over: from now on its worker is started again."""
        serving = self._serving
        if serving is not None and serving.installed.digest == digest:
            serving.on_trial = False

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
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 (a fault of ours must not end a model for good)
                fault = f"{type(error).__name__}: {error}"
                self._books.note("internal fault", self.name, detail=fault)
                self._wake.wait(1)
        self._close()

    def _turn(self) -> None:
        self._go_over()
        sensor = self._listen(self._serving.installed.manifest) if self._serving else None
        worker = self._serving.living() if self._serving else None
        if worker is None or sensor is None:
            self._wake.wait(_WAIT_S)
            self._wake.clear()
        else:
            self._predict(worker, sensor)
        self._tell_losses()

    def _go_over(self) -> None:
        """Between two windows: the new worker is ready before the old one goes."""
        with self._lock:
            upcoming, self._upcoming = self._upcoming, None
        if upcoming is None:
            return
        old, self._serving = self._serving, self._keep(*upcoming)
        self._deaths = 0
        if old is not None:
            old.close()
            self._counts["worker_restarts"] += old.restarts

    def _keep(self, installed: Installed, worker: Worker | None, on_trial: bool) -> Serving:
        return Serving(
            installed,
            worker,
            load_timeout_s=self._model.load_timeout_s,
            on_line=lambda line: warn(f"{self.name}: worker: {line}"),
            note=lambda event, detail: self._books.note(
                event, self.name, installed.manifest.version, detail
            ),
            on_trial=on_trial,
        )

    def _listen(self, manifest: Manifest) -> Sensor | None:
        """The sensor, heard with this model's window; another geometry begins its windows anew."""
        window, sensor = manifest.window, self._sensor
        assert window is not None
        if sensor is not None:
            if sensor.fits(window.channels, geometry(self._model, window)):
                return sensor
            sensor.close()
            self._sensor = None
        try:
            sensor = Sensor(
                self._config.device.id,
                self._model,
                self._broker,
                window=window,
                journal=self._config.journal(self._model),
                on_trouble=lambda text: self._books.note(
                    "journal in memory only", self.name, detail=text
                ),
            )
        except EdgeError as error:  # a file of the broker's settings went away
            self._books.note_once("sensor cannot be heard", self.name, detail=str(error))
            return None
        self._sensor = sensor
        self._losses = Losses(self.name, self.counters())
        self._cursor = self._remembered(sensor)
        return sensor

    def _remembered(self, sensor: Sensor) -> Cursor:
        """Where the windows go on: what the last committed predictions said, in the same ring."""
        raw = self._books.recall(f"place/{self.name}")
        place = msgspec.json.decode(raw, type=_Place) if raw else None
        if place is None or place.ring != sensor.stream.id:
            return Cursor()
        return Cursor(place.run, place.next)

    def _predict(self, worker: Worker, sensor: Sensor) -> None:
        """Run the windows that are due, and commit predictions and place together."""
        limit = 1 if self._singles else BATCH
        windows = sensor.stream.next_windows(self._cursor, limit, _WAIT_S)
        self._counts["dropped"] += windows.dropped
        if not windows.spans:
            self._cursor = windows.cursor
            return
        self._cursor = windows.begin
        answer = self._ask(worker, windows)
        if answer is None:
            return
        info = worker.info
        rows = predictions(self.name, info, windows.spans, answer, time.time())
        self._counts["windows"] += len(rows)
        with self._lock:
            self._latencies += [row.latency_us for row in rows]
        try:
            self._commit(rows, windows.cursor, sensor)
        except InputError:  # an output that is no finite number: keep the others
            for row, span in zip(rows, windows.spans, strict=True):
                self._commit_one(row, span.after, sensor)

    def _ask(self, worker: Worker, windows: Windows) -> Answer | None:
        """The model's answer; None when it failed. Then the windows are due again, one by one."""
        serving = self._serving
        assert serving is not None
        try:
            answer = worker.infer(windows.rows, self._model.run_timeout_s)
        except WorkerError as error:
            if self._stopping:
                return None
            serving.died(str(error))
            self._suspect(windows, str(error), self._deaths + 1)
        except EdgeError as error:
            if serving.on_trial and isinstance(error, EngineError):
                serving.fail(str(error))
            self._suspect(windows, str(error), POISON_AFTER)
        else:
            serving.answered()
            self._singles = max(0, self._singles - 1)
            self._deaths = 0
            return answer
        return None

    def _suspect(self, windows: Windows, why: str, deaths: int) -> None:
        """A run failed: find the window by running one at a time; a poisonous one is left out."""
        if len(windows.spans) > 1:
            self._singles = len(windows.spans)
            return
        self._deaths = deaths
        if deaths >= POISON_AFTER and self._sensor is not None and self._serving is not None:
            self._deaths = 0
            self._serving.answered()  # it was the window's fault: the next worker need not wait
            self._singles = max(0, self._singles - 1)
            self._leave_out(why, windows.cursor, self._sensor)

    def _commit_one(self, row: Row, cursor: Cursor, sensor: Sensor) -> None:
        try:
            self._commit([row], cursor, sensor)
        except InputError as error:
            self._leave_out(str(error), cursor, sensor)

    def _leave_out(self, why: str, cursor: Cursor, sensor: Sensor) -> None:
        self._counts["failed"] += 1
        self._failures[why] += 1
        self._commit([], cursor, sensor)

    def _commit(self, rows: Sequence[Row], cursor: Cursor, sensor: Sensor) -> None:
        place = _Place(sensor.stream.id, cursor.run, cursor.next)
        if self._books.write(rows, {f"place/{self.name}": msgspec.json.encode(place)}):
            self._counts["predictions"] += len(rows)
        if self._serving is not None:
            self._serving.predictions += len(rows)
        self._cursor = cursor

    def _tell_losses(self, *, last: bool = False) -> None:
        sensor = self._sensor
        if sensor is None:
            return
        reasons = {"rejected": sensor.stream.rejected(), "failed": self._failures}
        now_s = math.inf if last else time.monotonic()
        events = self._losses.events(self.counters(), reasons, now_s, time.time())
        self._failures = Counter()
        if events:
            for event in events:
                warn(f"{self.name}: {event.count} {event.event}{event.detail and ': ' + event.detail}")
            self._books.write(events)

    def _nudge(self) -> None:
        self._wake.set()
        if sensor := self._sensor:
            sensor.stream.wake()

    def _close(self) -> None:
        if self._sensor is not None:
            self._sensor.close()
            self._tell_losses(last=True)
        if self._serving is not None:
            self._serving.close()
        with self._lock:
            upcoming, self._upcoming = self._upcoming, None
        if upcoming is not None and upcoming[1] is not None:
            upcoming[1].close()
