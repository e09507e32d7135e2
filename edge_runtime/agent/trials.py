"""What is pending is tried: loaded beside the active bundle, then served until it is confirmed."""

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from edge_runtime.agent.books import Books
from edge_runtime.agent.choosing import tell_choice
from edge_runtime.agent.on_trial import OnTrial
from edge_runtime.agent.runner import ModelRunner
from edge_runtime.agent.serving import chooser_of, rarely_s
from edge_runtime.agent.slots import Slots
from edge_runtime.agent.trial import Trial
from edge_runtime.config import Config, TrialConfig
from edge_runtime.engine.requirements import demand_met
from edge_runtime.errors import EdgeError, EngineError, UnavailableError
from edge_runtime.store import blame
from edge_runtime.store.beside_agent import bare
from edge_runtime.store.disk import Store
from edge_runtime.store.slots import Slot, short
from edge_runtime.store.trials import CONTACT

_CONTACT_TAKES_S = 5.0  # at most, where the fleet can be reached
_LACKS_EVERY_S = 5.0  # at most: whoever is told of it writes it


@dataclass
class _Attempts:
    """What became of the attempts of one bundle while it is pending.

    failures: in a row, of its loads. waits: why, since the last of them. ended: why the last attempt
    did, '' where the store knows.
    """

    failures: int = 0
    waits: str = ""
    not_before_s: float = 0.0
    ended: str = ""

    def wait_longer(self, why: str) -> None:
        """It could not be loaded once more."""
        self.failures += 1
        self.waits = why
        self.not_before_s = time.monotonic() + rarely_s(self.failures)


class Trials:
    """Begins, judges and ends the trials of all models.

    A model that is not configured has no stream to prove it: its golden outputs confirm it, so that an
    install beside the agent ends; it just does not run.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        books: Books,
        runners: Mapping[str, ModelRunner],
        slots: Slots,
    ) -> None:
        self._board = config.board
        self._models = {model.name: model for model in config.models}
        self._store = store
        self._books = books
        self._runners = runners
        self._slots = slots
        self._loading: dict[str, Trial] = {}
        self._live: dict[str, OnTrial] = {}  # that serve
        self._lacks: dict[str, str] = {}  # as it was told last
        self._lacks_of: dict[str, str] = {}  # of which bundles
        self._lacks_next_s = 0.0
        self._attempts = defaultdict[tuple[str, str], _Attempts](_Attempts)  # by model and digest

    @property
    def serving(self) -> frozenset[str]:
        """The models that serve a version on trial."""
        return frozenset(self._live)

    def waits(self, name: str) -> str:
        """Why what is pending could not be tried, and will be again; '' where it is not so."""
        attempts = self._attempts.get((name, self._slots.model(name).pending or ""))
        return attempts.waits if attempts and name not in self._live else ""

    def lacks(self) -> dict[str, str]:
        """By model, what the version that serves on trial has still to show; anew every few seconds."""
        of, now_s = {name: live.digest for name, live in self._live.items()}, time.monotonic()
        if of != self._lacks_of or now_s >= self._lacks_next_s:
            self._lacks_of, self._lacks_next_s = of, now_s + _LACKS_EVERY_S
            missing = ((name, self._missing(name, live)) for name, live in self._live.items())
            self._lacks = {name: lacks for name, lacks in missing if lacks}
        return self._lacks

    def settle(self) -> None:
        """What others decided meanwhile: a trial was confirmed by hand, rolled back or replaced."""
        for name, live in list(self._live.items()):
            now = self._slots.model(name)
            if live.digest == now.active:
                self._confirmed(name, live.digest)
            elif live.digest != now.pending:
                del self._live[name]
                self._slots.forget(name, live.digest)

    def finish(self) -> None:
        """Take over what has loaded, and what could not."""
        for name, trial in list(self._loading.items()):
            if trial.done:
                del self._loading[name]
                now = self._slots.model(name)
                slot = now.slots.get(trial.digest)
                if slot is None or trial.digest != now.pending:
                    trial.cancel()
                elif trial.error is not None:
                    self._refuse(name, slot, trial.error)
                else:
                    self._activate(name, slot, trial)

    def judge(self) -> None:
        """Confirm what has shown enough; what failed leaves its place to the active one."""
        for name, live in list(self._live.items()):
            served = self._runners[name].served
            if served is None or served.digest != live.digest:
                continue
            if served.failure:
                del self._live[name]
                self._slots.given(name, "")  # it may be confirmed by hand, and is served anew then
                self._ended(name, self._slot(name, live.digest), served.failure, live.pause_s)
                continue
            missing = live.missing(served.predictions, self._books.contact_s)
            if not missing:
                self._store.confirmed(name, live.digest)
                self._confirmed(name, live.digest)
            elif missing == CONTACT and live.serves_s > _CONTACT_TAKES_S:
                version = self._slot(name, live.digest).version
                self._books.note_once("trial waits", name, version, missing, digest=live.digest)

    def begin(self) -> None:
        """Try what is pending; what loads and is not pending any more is ended."""
        for name, digest in list(self._attempts):
            if digest != self._slots.model(name).pending:  # whatever is asked for begins anew
                del self._attempts[name, digest]
                self._slots.forget(name, digest)
        for name, model in self._slots.state.models.items():
            trial = self._loading.get(name)
            if trial is not None and trial.digest != model.pending:
                trial.cancel()
                del self._loading[name]
                trial = None
            if model.pending is None or trial is not None or name in self._live:
                continue
            if time.monotonic() >= self._attempts[name, model.pending].not_before_s:
                self._attempt(name, model.pending)

    def stop(self) -> None:
        """End what loads; a stop in order gives the attempts of all trials back."""
        stopped = {name: live.digest for name, live in self._live.items() if not self._failure(name)}
        for name, trial in self._loading.items():
            trial.cancel()
            stopped[name] = trial.digest
        for name, digest in stopped.items():
            try:
                self._store.refunded(name, digest)
            except EdgeError as error:
                self._books.note_once("store trouble", name, detail=str(error))

    def _attempt(self, name: str, digest: str) -> None:
        """Count it, durably, and only then load. What is for another machine is not loaded at all."""
        attempts = self._attempts[name, digest]
        if why := self._why_not_here(name, digest):
            self._slots.failed(name, "trial failed", why, self._slot(name, digest))
            attempts.wait_longer(str(why))
            return
        slot = self._store.tried(name, digest, self._config(name).attempts, attempts.ended)
        attempts.ended = ""
        if slot.state != "bad":
            self._loading[name] = self._load(name, slot)
            return
        del self._attempts[name, digest]  # it is over
        self._rejected(name, slot, slot.reason)

    def _ended(self, name: str, slot: Slot, why: str, pause_s: float) -> None:
        """An attempt failed, and is counted already; after the last it is rejected at once instead."""
        attempts = self._attempts[name, slot.digest]
        why = bare(slot, why)
        attempts.ended = why
        if slot.attempts < 1:
            attempts.not_before_s = 0.0
            return
        left = f"{slot.attempts} of {slot.allowed} attempts are left, the next in {pause_s:.0f} s."
        attempts.waits = why  # how many are left the store says, also once the next has begun
        attempts.not_before_s = time.monotonic() + pause_s
        error = EngineError(f"{why.rstrip('.')}. {left}")
        self._slots.failed(name, "trial failed", error, slot, counted=True)

    def _why_not_here(self, name: str, digest: str) -> UnavailableError | None:
        """What this machine lacks to run a bundle, as its manifest alone can tell."""
        configured = self._models.get(name)
        pinned = (configured and configured.variant) or ""
        try:
            demand_met(self._slots.installed(name, digest).manifest, board=self._board, pinned=pinned)
        except UnavailableError as error:
            return error
        except EdgeError:  # its trial finds out, and is counted
            return None
        return None

    def _config(self, name: str) -> TrialConfig:
        return self._models[name].trial if name in self._models else TrialConfig()

    def _load(self, name: str, slot: Slot) -> Trial:
        """A way back, which was good here once, is not measured first where nothing answers."""
        runner = self._runners.get(name)
        chooser = runner.chooser if runner else chooser_of(name, self._board, None)
        return Trial(
            name,
            slot.digest,
            lambda: self._slots.installed(name, slot.digest),
            chooser=chooser,
            store=self._store.root,
            at_once=slot.state == "good" and runner is not None and not runner.digest,
        )

    def _activate(self, name: str, slot: Slot, trial: Trial) -> None:
        """It gave its golden outputs: a new one serves on trial, one that was good here is active again.

        The store is told first: what it says survives a power cut.
        """
        new = slot.state == "trial"
        on_trial = new and name in self._runners
        try:
            self._store.proved(name, slot.digest)
            if not on_trial:
                self._store.confirmed(name, slot.digest)
        except EdgeError as error:
            trial.cancel()
            self._attempts[name, slot.digest].wait_longer(str(error))
            raise
        self._attempts.pop((name, slot.digest), None)
        if trial.brought is not None:
            tell_choice(self._books, name, slot.version, trial.brought)
        if name in self._runners:
            installed, worker, candidate = trial.take()
            first = self._slots.model(name).active is None
            self._runners[name].serve(
                installed, worker, preferred=candidate, on_trial=on_trial, first=first
            )
            self._slots.given(name, slot.digest)
        else:
            trial.cancel()
        if on_trial:
            self._live[name] = OnTrial(slot.digest, self._config(name), installed.manifest.window)
            event = "on trial"
        else:
            self._slots.went_right(name)
            event = "confirmed" if new else "activated"
        self._books.note(event, name, slot.version, f"bundle {short(slot.digest)}")

    def _missing(self, name: str, live: OnTrial) -> str:
        served = self._runners[name].served
        shown = served.predictions if served and served.digest == live.digest else 0
        return live.missing(shown, self._books.contact_s)

    def _failure(self, name: str) -> str:
        """Why the trial that serves has failed; '' while it goes on."""
        served = self._runners[name].served
        return served.failure if served and served.digest == self._live[name].digest else ""

    def _confirmed(self, name: str, digest: str) -> None:
        del self._live[name]
        self._slots.went_right(name)
        self._runners[name].confirmed(digest)
        version = self._runners[name].version
        self._books.note("confirmed", name, version, f"bundle {short(digest)}")

    def _refuse(self, name: str, slot: Slot, error: EdgeError) -> None:
        """A pending bundle does not work here, or not now; what runs runs on."""
        decision = blame.decide(error, self._slots.model(name), slot.digest)
        attempts = self._attempts[name, slot.digest]
        attempts.wait_longer(str(error))  # also where it is over and that cannot be written down now
        if decision == "attempt":
            self._ended(name, slot, str(error), rarely_s(attempts.failures))
            return
        self._store.judged(name, slot.digest, decision, str(error))
        if decision != "wait":
            del self._attempts[name, slot.digest]
        if decision in ("withdraw", "reject"):
            self._rejected(name, slot, str(error))
        else:
            self._slots.failed(name, "trial failed", error, slot)

    def _rejected(self, name: str, slot: Slot, why: str) -> None:
        now = self._slots.model(name)
        runs = f" Version {now.slots[now.active].version} goes on running." if now.active else ""
        self._slots.failed(name, "rejected", EngineError(f"{why.rstrip('.')}.{runs}"), slot)

    def _slot(self, name: str, digest: str) -> Slot:
        return self._slots.model(name).slots[digest]
