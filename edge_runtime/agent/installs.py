"""What is installed while the agent runs: pending bundles are tried beside the running ones."""

import os
import time
from collections.abc import Mapping

from edge_runtime.agent.books import Books
from edge_runtime.agent.log import say, warn
from edge_runtime.agent.on_trial import OnTrial
from edge_runtime.agent.runner import ModelRunner
from edge_runtime.agent.serving import Installed, back_off_s
from edge_runtime.agent.streamable import why_not
from edge_runtime.agent.trial import Trial
from edge_runtime.bundle import load_root, open_bundle, open_folder
from edge_runtime.config import Config, ModelConfig, TrialConfig
from edge_runtime.errors import BundleError, ConfigError, EdgeError, EngineError
from edge_runtime.store import blame
from edge_runtime.store.disk import Store
from edge_runtime.store.slots import ModelState, Slot, State

_SERVE_AGAIN_S = 5.0


class Installs:
    """Follows the store: what another process installs serves on trial until it is confirmed.

    A model that is not configured has no stream to prove it: its golden outputs confirm it, so that an
    install beside the agent ends; it just does not run.
    """

    def __init__(
        self, config: Config, store: Store, books: Books, runners: Mapping[str, ModelRunner]
    ) -> None:
        self.state = State()
        self._config = config
        self._store = store
        self._books = books
        self._runners = runners
        self._models = {model.name: model for model in config.models}
        self._trials: dict[str, Trial] = {}  # that load
        self._live: dict[str, OnTrial] = {}  # that serve
        self._given: dict[str, str] = {}  # what each runner was last given to serve
        self._serve_at: dict[str, float] = {}  # not before
        self._failed_trials: dict[str, str] = {}  # why the last attempt ended
        self._errors: dict[str, str] = {}
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        self._stamp: tuple[int, ...] = ()

    def begin(self) -> None:
        """Serve what was active, and install what the configuration brings for models without any."""
        self.state = self._store.state()
        self._serve_active()
        for model in self._config.models:
            now = self._model(model.name)
            if model.bundle is not None and now.active is None and now.pending is None:
                self._install(model)

    def step(self) -> None:
        """Look once at the store, at the trials and at the runners."""
        try:
            self._look()
            self._settle_trials()
            self._finish_trials()
            self._judge_trials()
            self._judge_runners()
            self._look()  # again: what is pending may have been settled just now
            self._serve_active()
            self._begin_trials()
        except EdgeError as error:  # the store cannot be read or written now; what runs runs on
            self._books.note_once("store trouble", detail=str(error))

    def stop(self) -> None:
        """End what loads; a stop in order gives the attempts of all trials back."""
        stopped = {name: live.digest for name, live in self._live.items() if not self._failure(name)}
        for name, trial in self._trials.items():
            trial.cancel()
            stopped[name] = trial.digest
        for name, digest in stopped.items():
            try:
                self._store.refunded(name, digest)
            except EdgeError as error:
                self._books.note_once("store trouble", name, detail=str(error))

    @property
    def idle(self) -> bool:
        """Whether nothing is being loaded or waits to be."""
        return not any(
            model.pending and name not in self._live for name, model in self.state.models.items()
        )

    def expected(self) -> list[str]:
        """The configured models that have something to run."""
        return [name for name in self._runners if name in self._live or self._model(name).active]

    def errors(self) -> dict[str, str]:
        """The last thing that went wrong with each model, until something goes right."""
        errors = dict(self._errors)
        for name, runner in self._runners.items():
            if runner.trouble and not runner.digest:
                errors[name] = runner.trouble
        return errors

    def _model(self, name: str) -> ModelState:
        return self.state.models.get(name, ModelState())

    def _install(self, model: ModelConfig) -> None:
        assert model.bundle is not None
        say(f"{model.name}: installs {model.bundle.name}, as nothing is installed yet")
        try:
            trust = self._config.device.trust
            with open_bundle(model.bundle, root=None, allow_unsigned=True) as bundle:
                if bundle.manifest.name != model.name:
                    raise ConfigError(
                        f"{model.bundle}: expected the model {model.name!r}, found "
                        f"{bundle.manifest.name!r}."
                    )
            self._store.install(model.bundle, root=load_root(trust) if trust else None)
            if warning := self._store.expiry_warning():
                warn(f"{model.name}: {warning}")
        except EdgeError as error:
            self._failed(model.name, "", "install failed", error)

    def _serve_active(self) -> None:
        """Give each runner the active bundle, where no trial serves; what fails is tried again later."""
        for name, runner in self._runners.items():
            active = self._model(name).active
            if active in (None, self._given.get(name)) or name in self._live:
                continue
            if time.monotonic() >= self._serve_at.get(name, 0):
                assert active is not None
                self._serve(runner, active)

    def _serve(self, runner: ModelRunner, digest: str) -> None:
        name = runner.name
        try:
            runner.serve(self._installed(name, digest), None)
            self._given[name] = digest
        except EdgeError as error:
            self._serve_at[name] = time.monotonic() + _SERVE_AGAIN_S
            self._failed(name, "", "model cannot start", error)
            self._give_up_active(name, digest, error)

    def _installed(self, name: str, digest: str) -> Installed:
        folder = self._store.slot_path(name, digest)
        with open_folder(folder, root=None, allow_unsigned=True) as bundle:
            if bundle.digest != digest:
                raise BundleError(f"{folder}: expected the bundle {digest[:12]}, found another.")
            if name in self._runners and (why := why_not(bundle.manifest)):
                raise EngineError(f"{name} {bundle.manifest.version}: {why}")
            return Installed(digest, folder, bundle.manifest)

    def _look(self) -> None:
        """Read the store's state when its file changed, and tell what is new."""
        try:
            found = os.stat(self._store.root / "state.json")
        except FileNotFoundError:
            self._store.state()  # raises where there should be one
            return
        stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        if stamp == self._stamp:
            return
        before, self.state = self.state, self._store.state()
        self._stamp = stamp
        for name, model in self.state.models.items():
            known = before.models.get(name, ModelState()).slots
            for slot in model.slots.values():
                if slot.state == "staged" and (
                    slot.digest not in known or known[slot.digest].state == "writing"
                ):
                    self._books.note("installed", name, slot.version, f"bundle {slot.digest[:12]}")

    def _begin_trials(self) -> None:
        for name, model in self.state.models.items():
            trial = self._trials.get(name)
            if trial is not None and trial.digest != model.pending:
                trial.cancel()
                del self._trials[name]
                trial = None
            if model.pending is None or trial is not None or name in self._live:
                continue
            if time.monotonic() >= self._not_before.get(name, 0):
                self._attempt(name, model.pending)

    def _attempt(self, name: str, digest: str) -> None:
        """Count it, durably, and only then load."""
        attempts = self._trial_config(name).attempts
        slot = self._store.tried(name, digest, attempts, self._failed_trials.pop(name, ""))
        if slot.state != "bad":
            self._trials[name] = self._try(name, digest)
            return
        self._failed(name, slot.version, "rejected", EngineError(slot.reason))
        if active := self._model(name).active:
            version = self._model(name).slots[active].version
            self._books.note("rolled back", name, version, f"{slot.version}: {slot.reason}")

    def _trial_config(self, name: str) -> TrialConfig:
        return self._models[name].trial if name in self._models else TrialConfig()

    def _try(self, name: str, digest: str) -> Trial:
        configured = self._models.get(name)
        return Trial(
            name,
            digest,
            lambda: self._installed(name, digest),
            timeout_s=configured.load_timeout_s if configured else 60.0,
            on_line=lambda line: warn(f"{name}: worker: {line}"),
        )

    def _finish_trials(self) -> None:
        for name, trial in list(self._trials.items()):
            if trial.done:
                del self._trials[name]
                slot = self._model(name).slots.get(trial.digest)
                if slot is None or trial.digest != self._model(name).pending:
                    trial.cancel()
                elif trial.error is not None:
                    self._refuse(name, slot, trial.error)
                else:
                    self._activate(name, slot, trial)

    def _activate(self, name: str, slot: Slot, trial: Trial) -> None:
        """It gave its golden outputs: a new one serves on trial, one that was good here is active again.

        The store is told first: what it says survives a power cut.
        """
        back = self._model(name).active is not None
        new = slot.state == "trial"
        on_trial = new and name in self._runners
        try:
            self._store.proved(name, slot.digest)
            if not on_trial:
                self._store.confirmed(name, slot.digest)
        except EdgeError:
            trial.cancel()
            self._wait_longer(name)
            raise
        self._failures.pop(name, None)
        if name in self._runners:
            self._runners[name].serve(*trial.take(), on_trial=on_trial)
            self._given[name] = slot.digest
        else:
            trial.cancel()
        if on_trial:
            self._live[name] = OnTrial(slot.digest, self._trial_config(name))
            event = "on trial"
        else:
            self._errors.pop(name, None)
            event = "confirmed" if new else "rolled back" if back else "activated"
        self._books.note(event, name, slot.version, f"bundle {slot.digest[:12]}")

    def _failure(self, name: str) -> str:
        """Why the trial that serves has failed; '' while it goes on."""
        served = self._runners[name].served
        return served.failure if served and served.digest == self._live[name].digest else ""

    def _judge_trials(self) -> None:
        """Confirm what has shown enough; what failed leaves its place to the active one."""
        for name, live in list(self._live.items()):
            served = self._runners[name].served
            if served is None or served.digest != live.digest:
                continue
            if served.failure:
                version = self._model(name).slots[live.digest].version
                self._failed_trials[name] = served.failure
                self._failed(name, version, "trial failed", EngineError(served.failure))
                self._end_trial(name)
            elif not live.missing(served.predictions, self._books.connected):
                self._store.confirmed(name, live.digest)
                self._confirmed(name, live.digest)

    def _settle_trials(self) -> None:
        """What others decided meanwhile: a trial was confirmed by hand, rolled back or replaced."""
        for name, live in list(self._live.items()):
            now = self._model(name)
            if live.digest == now.active:
                self._confirmed(name, live.digest)
            elif live.digest != now.pending:
                self._end_trial(name)

    def _confirmed(self, name: str, digest: str) -> None:
        del self._live[name]
        self._errors.pop(name, None)
        self._runners[name].confirmed(digest)
        version = self._runners[name].version
        self._books.note("confirmed", name, version, f"bundle {digest[:12]}")

    def _end_trial(self, name: str) -> None:
        """The active one serves again, where there is one; else what served stays."""
        del self._live[name]

    def _refuse(self, name: str, slot: Slot, error: EdgeError) -> None:
        """A pending bundle does not work here, or not now; what runs runs on."""
        model, digest = self._model(name), slot.digest
        decision = blame.decide(error, model, digest)
        if decision == "withdraw":
            self._store.withdrawn(name, digest)
        elif decision == "reject":
            self._store.rejected(name, digest, str(error))
        elif decision == "stay":
            self._store.activate(name, model.active)
        else:
            self._wait_longer(name)
            if decision == "attempt":
                self._failed_trials[name] = str(error)
            else:
                self._store.refunded(name, digest)
        refused = decision in ("withdraw", "reject")
        self._failed(name, slot.version, "rejected" if refused else "trial failed", error)

    def _judge_runners(self) -> None:
        """A bundle that ran before and does not start any more makes way for the one before it."""
        for name, runner in self._runners.items():
            fault = runner.fault
            if fault is not None and fault[0] == self._model(name).active:
                self._give_up_active(name, *fault)

    def _give_up_active(self, name: str, digest: str, error: EdgeError) -> None:
        """Where it is its own fault. For the machine's the runner goes on trying."""
        decision = blame.decide(error, self._model(name), digest)
        if decision == "withdraw":
            self._store.withdrawn(name, digest)
        elif decision == "reject":
            self._store.rejected(name, digest, str(error))

    def _wait_longer(self, name: str) -> None:
        self._failures[name] = self._failures.get(name, 0) + 1
        self._not_before[name] = time.monotonic() + max(1.0, back_off_s(self._failures[name]))

    def _failed(self, name: str, version: str, event: str, error: EdgeError) -> None:
        self._errors[name] = str(error)
        self._books.note_once(event, name, version, str(error))
