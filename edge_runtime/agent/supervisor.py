"""The agent's main loop: makes what runs agree with what the store says, and tells the fleet."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import msgspec

from edge_runtime import durable
from edge_runtime.agent.books import Books, open_books
from edge_runtime.agent.brokers import brokers
from edge_runtime.agent.choices import Choices
from edge_runtime.agent.choosing import Choosing
from edge_runtime.agent.easing import Easing
from edge_runtime.agent.heat import Heat
from edge_runtime.agent.installs import Installs, Pending
from edge_runtime.agent.log import install_logging, say, warn
from edge_runtime.agent.metrics import Meter
from edge_runtime.agent.rows import Known, report
from edge_runtime.agent.runner import ModelRunner
from edge_runtime.agent.trusted_root import TrustedRoot
from edge_runtime.config import Config
from edge_runtime.errors import EdgeError
from edge_runtime.mqtt import Broker
from edge_runtime.service.journal import Level
from edge_runtime.service.notify import Notifier
from edge_runtime.signals import stop_signals
from edge_runtime.store.beside_agent import Told
from edge_runtime.store.disk import Store

POLL_S = 0.2
_PATIENCE_S = 3.0  # for the windows in hand at the end, of all models together
_MAX_WHY = 400  # characters of a model's trouble in the service's status
_SETTLE_S = 10.0  # after so long, readiness is declared with what there is


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """What `--ready-file` holds: written once all that can run runs, and again on every change.

    `workers`: process id, `running`: version, `variants`: which one of it, `hears`: whether the sensor's
    broker is connected, `every`: of how many windows one is run, each by model. `fleet`: whether the
    fleet's broker is.
    """

    pid: int
    workers: dict[str, int]
    running: dict[str, str]
    variants: dict[str, str]
    hears: dict[str, bool]
    every: dict[str, int]
    fleet: bool


def status(
    ready: Ready, waits: Mapping[str, str], pending: Mapping[str, Pending], *, fleet_configured: bool
) -> str:
    """What runs, and what does not or waits, and why, in one line: for `systemctl status`."""
    parts = []
    for name, hears in ready.hears.items():
        version = ready.running.get(name)
        sensor = "hears its sensor" if hears else "does not hear its sensor"
        every = f", runs 1 of {ready.every[name]} windows" if ready.every[name] > 1 else ""
        runs = f"{name} {version} {sensor}{every}" if version else f"{name} does not run"
        if not version and (why := waits.get(name)):
            runs += f": {why[:_MAX_WHY]}"
        if waiting := pending.get(name):
            runs += f", {waiting.version} waits: {waiting.why[:_MAX_WHY]}"
        parts.append(runs)
    if not ready.running:
        parts = ["nothing to serve yet", *parts]
    if fleet_configured:
        parts.append(f"the fleet's broker is {'' if ready.fleet else 'not '}connected")
    return "; ".join(parts)


def run(config: Config, ready_file: Path | None = None, log_level: Level = Level.INFO) -> None:
    """Be the agent of this device until SIGTERM or SIGINT.

    Raises StoreBusyError when another agent runs on the same data, StoreError or StorageError when
    the data folder cannot be used. Anything later is reported and does not end the agent.
    """
    install_logging(log_level)
    store = Store(config.store)
    found = brokers(config)  # before a command that measures has to make way for what ends at once
    with ExitStack() as stack:
        notifier = Notifier.from_environment()
        stack.callback(notifier.close)
        stopped = stack.enter_context(stop_signals())
        lock = stack.enter_context(store.agent_lock(say=warn))
        store.recover()
        books = stack.enter_context(open_books(config, found.fleet))
        supervisor = Supervisor(
            config,
            found.sensors,
            store,
            books,
            notifier,
            ready_file=ready_file,
            tell_commands=lock.say,
        )
        supervisor.run(stopped)


def _heat(
    config: Config, books: Books, runners: Iterable[ModelRunner], choosing: Choosing
) -> Heat | None:
    """What eases the models while the board is too hot; None where nobody asks for it."""
    temperature = config.device.temperature
    if temperature is None:
        return None
    return Heat(temperature, books, [Easing(runner, choosing) for runner in runners])


class Supervisor:
    """Owns the runners, the trials and what is told of them. What it does itself is in one thread."""

    def __init__(
        self,
        config: Config,
        sensors: Mapping[str, Broker],
        store: Store,
        books: Books,
        notifier: Notifier,
        *,
        ready_file: Path | None = None,
        tell_commands: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`sensors`: their brokers, by model. `tell_commands` hears what `status` and `doctor` show."""
        self._config = config
        self._books = books
        self._notifier = notifier
        self._ready_file = ready_file
        self._tell_commands = tell_commands
        self._runners = {
            model.name: ModelRunner(config, model, sensors[model.name], books) for model in config.models
        }
        self._installs = Installs(config, store, books, self._runners)
        self._trusted = TrustedRoot(store, books)
        self._choices = Choices(config.store)
        self._meter = Meter(config, books, self._runners)
        self._heat = _heat(config, books, self._runners.values(), self._installs.choosing)
        self._stalled = set[str]()
        self._ready: Ready | None = None
        self._seen: object = None  # what runs and what waits, at the last look
        self._reported: object = None
        self._started = time.monotonic()

    def run(self, stopped: Callable[[], bool]) -> None:
        say(f"agent of {self._config.device.id} started, process {os.getpid()}")
        for runner in self._runners.values():
            runner.start()
        try:
            self._installs.begin()
            while not stopped():
                for act in self._acts():
                    self._guarded(act)
                if self._all_go_round():
                    self._notifier.went_round()
                time.sleep(POLL_S)
        finally:
            self._notifier.stopping()
            self._stop()

    def _acts(self) -> Iterator[Callable[[], None]]:
        """What is done on each turn."""
        yield self._installs.step
        if self._heat:
            yield self._heat.step
        yield from (self._meter.step, self._report, self._tell_ready)

    def _all_go_round(self) -> bool:
        """Whether every model's thread does; else nothing keeps the service manager from a restart."""
        stalled = {name: why for name, runner in self._runners.items() if (why := runner.stalled)}
        for name in stalled.keys() - self._stalled:
            self._books.note("model stalled", name, self._runners[name].version, stalled[name])
        self._stalled = set(stalled)
        return not stalled

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 (a fault of ours must not end the models)
            self._books.note_once("internal fault", detail=f"{type(error).__name__}: {error}")

    def _report(self) -> None:
        """Publish the reported state when what it is made of changed."""
        errors = self._installs.errors()
        known = {name: self._known(name, errors.get(name, "")) for name in {*self._runners, *errors}}
        state, root = self._installs.state, self._trusted.look()
        if (state, known, root) != self._reported:
            self._reported = state, known, root
            self._books.report(report(state, known), root)

    def _known(self, name: str, error: str) -> Known:
        """What is known of a model, which need not be configured."""
        if (runner := self._runners.get(name)) is None:
            return Known(None, error=error)
        info = runner.info
        ways = self._choices.look(name, info.digest) if info else ()
        return Known(info, runner.every, ways, error)

    def _tell_ready(self) -> None:
        """Tell what runs and what waits, on every change: commands beside the agent from the start on,
        the service manager and the ready file once what can run runs."""
        ready, waits, pending = self._now(), self._installs.waits(), self._installs.pending()
        ways = {name: way for name, runner in self._runners.items() if (way := runner.way)}
        lacks = self._installs.lacks()
        counted, in_memory = self._meter.counted, self._books.in_memory
        now = ready, waits, pending, ways, lacks, counted, in_memory
        changed, self._seen = now != self._seen, now
        if changed:
            runs = {name: ready.running.get(name, "") for name in self._runners}
            why = {name: waiting.why for name, waiting in pending.items()}
            self._tell_commands(Told(runs, waits, why, ways, lacks, *counted, in_memory).line())
        if changed if self._ready else self._settled():
            self._tell_manager(ready, waits, pending)

    def _tell_manager(
        self, ready: Ready, waits: Mapping[str, str], pending: Mapping[str, Pending]
    ) -> None:
        if self._ready_file is not None and ready != self._ready:
            try:
                durable.replace_file(self._ready_file, msgspec.json.encode(ready))
            except EdgeError as error:
                warn(f"ready file: {error}")
        has_fleet = self._config.fleet is not None
        self._notifier.status(status(ready, waits, pending, fleet_configured=has_fleet))
        if self._ready is None:
            self._notifier.ready()
        self._ready = ready

    def _now(self) -> Ready:
        runners = self._runners.items()
        workers = {name: worker for name, runner in runners if (worker := runner.answering)}
        return Ready(
            pid=os.getpid(),
            workers={name: worker.pid for name, worker in workers.items()},
            variants={name: worker.info.variant for name, worker in workers.items()},
            running={name: worker.info.version for name, worker in workers.items()},
            hears={name: runner.hears for name, runner in runners},
            every={name: runner.every for name, runner in runners},
            fleet=self._books.connected,
        )

    def _settled(self) -> bool:
        """Whether all runs that can, or was waited for long enough."""
        if time.monotonic() - self._started >= _SETTLE_S:
            return True
        runners = [self._runners[name] for name in self._installs.expected()]
        return self._installs.idle and all(runner.digest and runner.hears for runner in runners)

    def _stop(self) -> None:
        self._installs.stop()
        for runner in self._runners.values():
            runner.begin_stop()
        say("agent stops")  # nothing says after it that it runs
        until = time.monotonic() + _PATIENCE_S
        for runner in self._runners.values():
            runner.stop(max(0.0, until - time.monotonic()))
        self._meter.step(last=True)
        self._report()
        if self._ready_file is not None:
            self._ready_file.unlink(missing_ok=True)
