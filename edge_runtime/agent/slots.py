"""The store's slots as the agent sees them, and those that are active served."""

import time
from collections.abc import Container, Mapping

from edge_runtime.agent.books import Books
from edge_runtime.agent.runner import ModelRunner
from edge_runtime.agent.serving import Installed
from edge_runtime.agent.stamp import stamp
from edge_runtime.agent.streamable import why_not
from edge_runtime.bundle import open_folder
from edge_runtime.errors import BundleError, EdgeError, EngineError
from edge_runtime.store import blame, state_file
from edge_runtime.store.disk import Store
from edge_runtime.store.slots import ModelState, Slot, State, short

_SERVE_AGAIN_S = 5.0


class Slots:
    """Follows the store, which other processes change, and gives each runner the active bundle.

    `state` is the store's when it was last looked at.
    """

    def __init__(self, store: Store, books: Books, runners: Mapping[str, ModelRunner]) -> None:
        self.state = State()
        self._store = store
        self._file = store.root / state_file.NAME
        self._books = books
        self._runners = runners
        self._wrong: dict[str, tuple[str, str]] = {}  # last, by model: of which slot, and what
        self._unserved: dict[str, tuple[str, str]] = {}  # which slot no runner could be given, and why
        self._given: dict[str, str] = {}  # what each runner was last given to serve
        self._serve_at: dict[str, float] = {}  # not before
        self._stamp: tuple[int, ...] = ()

    def begin(self) -> None:
        """Serve what was active; what is there already is no news."""
        self.state = self._store.state()
        self.serve_active(on_trial=())

    def look(self) -> None:
        """Read the store's state when its file changed, and tell what is new."""
        now = stamp(self._file)
        if not now:
            self._store.state()  # raises where there should be one, or it cannot be read
            return
        if now == self._stamp:
            return
        before, self.state = self.state, self._store.state()
        self._stamp = now
        for name, model in self.state.models.items():
            known = before.models.get(name, ModelState()).slots
            for slot in model.slots.values():
                if slot.state == "staged" and (
                    slot.digest not in known or known[slot.digest].state == "writing"
                ):
                    self._books.note("installed", name, slot.version, f"bundle {short(slot.digest)}")

    def model(self, name: str) -> ModelState:
        return self.state.models.get(name, ModelState())

    def installed(self, name: str, digest: str) -> Installed:
        """A slot's bundle. Raises BundleError if it is another, EngineError if no stream can feed it."""
        folder = self._store.slot_path(name, digest)
        with open_folder(folder, root=None, allow_unsigned=True) as bundle:
            if bundle.digest != digest:
                raise BundleError(f"{folder}: expected the bundle {short(digest)}, found another.")
            if name in self._runners and (why := why_not(bundle.manifest)):
                raise EngineError(f"{name} {bundle.manifest.version}: {why}")
            return Installed(digest, folder, bundle.manifest)

    def serve_active(self, on_trial: Container[str]) -> None:
        """Give each runner the active bundle, where no trial serves; what fails is tried again later."""
        for name, runner in self._runners.items():
            active = self.model(name).active
            if active in (None, self._given.get(name)) or name in on_trial:
                continue
            if time.monotonic() >= self._serve_at.get(name, 0):
                assert active is not None
                self._serve(runner, active)

    def why_not_served(self, name: str) -> str:
        """Why its runner could not be given what is active; '' where it was, or nobody tried yet."""
        digest, why = self._unserved.get(name, ("", ""))
        return why if digest == self.model(name).active else ""

    def given(self, name: str, digest: str) -> None:
        """A runner was given this bundle by somebody else; '' where what it was given serves no more."""
        self._given[name] = digest

    def judge_runners(self) -> None:
        """A bundle that ran before and does not start any more makes way for the one before it."""
        for name, runner in self._runners.items():
            fault = runner.fault
            if fault is not None and fault[0] == self.model(name).active:
                self._give_up_active(name, *fault)

    def failed(
        self,
        name: str,
        event: str,
        error: EdgeError,
        slot: Slot | None = None,
        *,
        counted: bool = False,
    ) -> None:
        """Tell it, once a reason for each bundle, and keep it in `errors`.

        `slot`: where it is about one. `counted`: an attempt ended by it, of which there are few: each is
        told.
        """
        version, digest = (slot.version, slot.digest) if slot else ("", "")
        self._wrong[name] = digest, str(error)
        if counted:
            self._books.note(event, name, version, str(error))
        else:
            self._books.note_once(event, name, version, str(error), digest=digest)

    def errors(self) -> dict[str, str]:
        """The last thing that went wrong with each model, until something goes right."""
        return {name: why for name, (_, why) in self._wrong.items()}

    def went_right(self, name: str) -> None:
        self._wrong.pop(name, None)

    def forget(self, name: str, digest: str) -> None:
        """Nobody wants this slot any more: what went wrong with it is no trouble now."""
        if self._wrong.get(name, ("", ""))[0] == digest:
            del self._wrong[name]

    def _serve(self, runner: ModelRunner, digest: str) -> None:
        name = runner.name
        try:
            installed = self.installed(name, digest)
            guess = runner.chooser.first_guess(installed.unpacked(self._store.root))
            runner.serve(installed, None, preferred=guess)
            self._given[name] = digest
        except EdgeError as error:
            self._serve_at[name] = time.monotonic() + _SERVE_AGAIN_S
            self._unserved[name] = digest, str(error)
            self.failed(name, "model cannot start", error, self.model(name).slots[digest])
            self._give_up_active(name, digest, error)

    def _give_up_active(self, name: str, digest: str, error: EdgeError) -> None:
        """Where it is its own fault. For the machine's the runner goes on trying."""
        decision = blame.decide(error, self.model(name), digest)
        if decision in ("withdraw", "reject"):
            with self._runners[name].giving_up(digest):  # its files go, and are not found missing
                self._store.judged(name, digest, decision, str(error))
