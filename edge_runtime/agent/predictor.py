"""One model's sensor: its windows go to the model, and the predictions to the outbox."""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from edge_runtime.agent.books import Books
from edge_runtime.agent.haste import Haste
from edge_runtime.agent.log import warn
from edge_runtime.agent.pace import CpuLimit
from edge_runtime.agent.rows import Losses, predictions
from edge_runtime.agent.sensor import Sensor, geometry
from edge_runtime.agent.serving import Serving
from edge_runtime.agent.silence import Silence
from edge_runtime.agent.suspicion import RENEW_AFTER, Suspicion
from edge_runtime.agent.thinning import thinned
from edge_runtime.bundle.manifest import Manifest
from edge_runtime.config import Config, ModelConfig
from edge_runtime.errors import EdgeError, EngineError, InputError, WorkerError
from edge_runtime.mqtt import Broker
from edge_runtime.stream.pipeline import Windows
from edge_runtime.stream.window import Cursor, behind
from edge_runtime.telemetry.messages import Row
from edge_runtime.worker import Answer, Worker

BATCH = 32


class _Place(msgspec.Struct, frozen=True):
    """Where the next window begins; kept with the predictions, in the same transaction."""

    ring: str
    run: int
    next: int


# Made with the module: msgspec 0.22 crashes where two threads are the first to decode one type.
_PLACE = msgspec.json.Decoder(_Place)


class Predictor:
    """Used by the model's thread, except `counters`, `take_latencies`, `hears`, `wake` and `every`.

    `every`: of how many windows one is run; the others are skipped, and counted.
    """

    def __init__(
        self,
        config: Config,
        model: ModelConfig,
        broker: Broker,
        books: Books,
        stopping: Callable[[], bool],
    ) -> None:
        """`broker`: the source's. `stopping`: whether workers may be killed on purpose by now."""
        self.counts = Counter(
            windows=0, predictions=0, dropped=0, skipped=0, failed=0, worker_restarts=0
        )
        self.every = 1
        self._name = model.name
        self._broker = broker
        self._config = config
        self._model = model
        self._books = books
        self._stopping = stopping
        self._sensor: Sensor | None = None
        self._cursor = Cursor()
        self._losses = Losses(model.name, {})
        self._silence = Silence(model.source.silence_s, time.monotonic())
        self._haste = Haste()
        self._rate_hz: float | None = None  # that the version in use is made for
        self._failures: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._cpu = CpuLimit(model.cpu) if model.cpu else None
        self._nudged = threading.Event()
        self._suspicion = Suspicion()
        self._each_us = math.inf  # what a window took in the last run
        self._latencies: list[float] = []
        self._lock = threading.Lock()

    @property
    def hears(self) -> bool:
        sensor = self._sensor
        return sensor is not None and sensor.connected

    def counters(self) -> dict[str, int]:
        """Counts since the start, and how many windows are `waiting` to be run now."""
        sensor = self._sensor
        return {**self._counted(), "waiting": sensor.stream.waiting(self._cursor) if sensor else 0}

    def take_latencies(self) -> list[float]:
        """The model's run time for each window since the last call, in microseconds."""
        with self._lock:
            taken, self._latencies = self._latencies, []
        return taken

    def wake(self) -> None:
        """Let `predict` return early."""
        self._nudged.set()
        if sensor := self._sensor:
            sensor.stream.wake()

    def go_over(self) -> None:
        """Another worker has the next window, whatever it did to those before, and how fast."""
        self._suspicion.go_over()
        self._each_us = math.inf

    def listen(self, manifest: Manifest) -> bool:
        """Hear the sensor with this model's window; another geometry begins its windows anew."""
        window, sensor = manifest.window, self._sensor
        assert window is not None
        self._rate_hz = window.rate_hz
        if sensor is not None:
            if sensor.fits(window.channels, geometry(self._model, window)):
                return True
            self.close()
            self._sensor = None
        try:
            sensor = Sensor(
                self._config.device.id,
                self._model,
                self._broker,
                window=window,
                journal=self._config.journal(self._model),
                on_trouble=lambda event, detail: self._books.note(event, self._name, detail=detail),
            )
        except EdgeError as error:  # a file of the broker's settings went away
            self._books.note_once("sensor cannot be heard", self._name, detail=str(error))
            return False
        self._sensor = sensor
        self._losses = Losses(self._name, self._counted())
        self._cursor = self._remembered(sensor)
        return True

    def predict(self, serving: Serving, worker: Worker, wait_s: float) -> None:
        """Run the windows that are due within `wait_s`, and commit predictions and place together."""
        assert self._sensor is not None
        if self._cpu and (pause_s := self._cpu.wait_s()):
            self._nudged.wait(min(pause_s, wait_s))
            self._nudged.clear()
            return
        windows = self._sensor.stream.next_windows(self._cursor, self._most(serving), wait_s)
        self._count_dropped(windows.dropped)
        between = 0
        if self.every > 1:
            before, between, windows = thinned(windows, self.every)
            self.counts["skipped"] += before
        if not windows.spans:
            self._cursor = windows.cursor
            return
        self._cursor = windows.begin
        answer = self._ask(serving, worker, windows)
        if answer is None:
            return
        rows = predictions(self._name, worker.info, windows.spans, answer, time.time())
        try:
            self._commit(rows, windows.cursor)
            serving.predictions += len(rows)
        except InputError as error:  # an answer that cannot be sent, such as one that is no number
            if serving.on_trial:
                self._fail(serving, windows, str(error))
                return
            for row, span in zip(rows, windows.spans, strict=True):  # keep the others
                self._commit_one(serving, row, span.after)
        self.counts["skipped"] += between
        self.counts["windows"] += len(rows)
        self._each_us = max(1.0, answer.latency_us / len(rows))
        with self._lock:
            self._latencies += [row.latency_us for row in rows]

    def _most(self, serving: Serving) -> int:
        """How many windows to run at once: no more than a quarter of the time-out will do for.

        On trial it is to be known by which window an attempt ends: finding that out would cost another.
        """
        if serving.on_trial or self._suspicion.one_by_one:
            return 1
        return max(1, min(BATCH, int(self._model.run_timeout_s * 1e6 / 4 / self._each_us)))

    def tell_silence(self) -> None:
        """Whether the sensor has fallen silent, or is heard again; whether it is too fast."""
        sensor = self._sensor
        if sensor is None:
            return
        now_s, taken = time.monotonic(), sensor.stream.counters()["taken"]
        silence = self._silence.event(taken if sensor.connected else None, now_s)
        for found in filter(None, (silence, self._haste.event(taken, self._rate_hz, now_s))):
            self._books.note(found[0], self._name, detail=found[1])

    def tell_limit(self) -> None:
        """That windows wait for the processor's sake, or wait no more."""
        if self._cpu and (found := self._cpu.event()):
            self._books.note(found[0], self._name, detail=found[1])

    def tell_losses(self, *, last: bool = False) -> None:
        sensor = self._sensor
        if sensor is None:
            return
        counted = self._counted()  # first: of what is rejected meanwhile the reason waits for its count
        reasons = {
            "rejected": sensor.stream.rejected(),
            "dropped": self._dropped,
            "failed": self._failures,
        }
        now_s = math.inf if last else time.monotonic()
        events = self._losses.events(counted, reasons, now_s, time.time())
        self._failures, self._dropped = Counter(), Counter()
        if events:
            for event in events:
                warn(f"{self._name}: {event.count} {event.event}{event.detail and ': ' + event.detail}")
            self._books.write(events)

    def close(self) -> None:
        """Hear the sensor no more; what is not told yet of its losses is told."""
        if self._sensor is not None:
            self._sensor.close()
            self.tell_losses(last=True)

    def _counted(self) -> dict[str, int]:
        sensor = self._sensor
        return {**(sensor.stream.counters() if sensor else {}), **self.counts}

    def _remembered(self, sensor: Sensor) -> Cursor:
        """Where the windows go on: what the last committed predictions said, in the same ring."""
        raw = self._books.recall(f"place/{self._name}")
        place = _PLACE.decode(raw) if raw else None
        if place is None or place.ring != sensor.stream.id:
            return Cursor()
        return Cursor(place.run, place.next)

    def _ask(self, serving: Serving, worker: Worker, windows: Windows) -> Answer | None:
        """The model's answer; None when it failed. Then the windows are due again, one by one."""
        try:
            if self._cpu:
                self._cpu.begin(worker.pid)
            answer = worker.infer(windows.rows, self._model.run_timeout_s)
            if self._cpu:
                self._cpu.end()
        except WorkerError as error:
            if self._stopping():
                return None
            if serving.on_trial:
                self._pass_over(serving, windows, str(error))
            serving.died(str(error))
            if self._suspicion.died(len(windows.spans)):
                self._blame(serving, windows, str(error))
        except EdgeError as error:
            if serving.on_trial and isinstance(error, EngineError):
                self._fail(serving, windows, str(error))
                return None
            if self._suspicion.refused(len(windows.spans)):
                self._blame(serving, windows, str(error))
            if isinstance(error, EngineError) and len(windows.spans) == 1:
                self._renew(serving, str(error))
        else:
            self._suspicion.answered()
            serving.answered()
            return answer
        return None

    def _fail(self, serving: Serving, windows: Windows, why: str) -> None:
        """End the attempt of a trial."""
        self._pass_over(serving, windows, why)
        serving.fail(why)

    def _pass_over(self, serving: Serving, windows: Windows, why: str) -> None:
        """The version before runs the window that ends an attempt. Where there is none the next attempt,
        also after a restart, does not meet its samples again: one bad reading must not use up all."""
        if serving.first:
            count, cursor = behind(windows.spans[0])
            self._leave_out(why, cursor, count)

    def _count_dropped(self, count: int) -> None:
        if count:
            self.counts["dropped"] += count
            if self._cpu and self._cpu.reached:
                self._dropped[self._cpu.reason] += count

    def _renew(self, serving: Serving, why: str) -> None:
        """A process that cannot run any window, for instance short of memory, makes way for another."""
        if self._suspicion.renews(time.monotonic()):
            serving.died(f"{RENEW_AFTER} windows in a row could not be run; the last: {why}")

    def _blame(self, serving: Serving, windows: Windows, why: str) -> None:
        """It was the only window's fault: that is left out, and the next worker need not wait."""
        serving.answered()
        self._leave_out(why, windows.cursor)

    def _commit_one(self, serving: Serving, row: Row, cursor: Cursor) -> None:
        try:
            self._commit([row], cursor)
            serving.predictions += 1
        except InputError as error:
            self._leave_out(str(error), cursor)

    def _leave_out(self, why: str, cursor: Cursor, count: int = 1) -> None:
        self.counts["failed"] += count
        self._failures[why] += count
        self._commit([], cursor)

    def _commit(self, rows: Sequence[Row], cursor: Cursor) -> None:
        assert self._sensor is not None
        place = _Place(self._sensor.stream.id, cursor.run, cursor.next)
        if self._books.write(rows, {f"place/{self._name}": msgspec.json.encode(place)}):
            self.counts["predictions"] += len(rows)
        self._cursor = cursor
