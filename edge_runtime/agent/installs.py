"""What is installed while the agent runs: pending bundles are tried beside the running ones."""

from collections.abc import Mapping
from typing import NamedTuple

from edge_runtime.agent.books import Books
from edge_runtime.agent.bringing import Bringing
from edge_runtime.agent.choosing import Choosing
from edge_runtime.agent.runner import ModelRunner
from edge_runtime.agent.slots import Slots
from edge_runtime.agent.trials import Trials
from edge_runtime.config import Config
from edge_runtime.errors import EdgeError
from edge_runtime.store.disk import Store
from edge_runtime.store.slots import State


class Pending(NamedTuple):
    """A version that cannot be tried now, and why."""

    version: str
    why: str


class Installs:
    """Follows the store: what another process installs serves on trial until it is confirmed."""

    def __init__(
        self, config: Config, store: Store, books: Books, runners: Mapping[str, ModelRunner]
    ) -> None:
        self._books = books
        self._trouble = ""  # why the last step could not be done
        self._runners = runners
        self._slots = Slots(store, books, runners)
        self._trials = Trials(config, store, books, runners, self._slots)
        self._choosing = Choosing(store, books, runners, self._slots)
        self._bringing = Bringing(config, self._slots)

    def begin(self) -> None:
        """Serve what was active, and install what the configuration brings for models without any."""
        self._slots.begin()
        self._bringing.begin()

    def step(self) -> None:
        """Look once at the store, at the trials and at the runners."""
        slots, trials = self._slots, self._trials
        try:
            slots.look()
            trials.settle()
            trials.finish()
            trials.judge()
            slots.judge_runners()
            slots.look()  # again: what is pending may have been settled just now
            slots.serve_active(trials.serving)
            trials.begin()
            self._choosing.step(trials.serving)
            self._bringing.step()
            self._trouble = ""
        except EdgeError as error:  # the store cannot be read or written now; what runs runs on
            self._trouble = str(error)
            self._books.note_once("store trouble", detail=str(error))

    def stop(self) -> None:
        """End what loads; a stop in order gives the attempts of all trials back."""
        self._choosing.stop()
        self._trials.stop()

    @property
    def choosing(self) -> Choosing:
        """What decides which candidate of each active bundle serves."""
        return self._choosing

    @property
    def state(self) -> State:
        """The store's state when it was last looked at."""
        return self._slots.state

    @property
    def idle(self) -> bool:
        """Whether nothing is being loaded or waits to be."""
        waits = {name for name, model in self.state.models.items() if model.pending}
        return waits <= self._trials.serving

    def expected(self) -> list[str]:
        """The configured models that have something to run."""
        serving = self._trials.serving
        return [name for name in self._runners if name in serving or self._slots.model(name).active]

    def errors(self) -> dict[str, str]:
        """The last thing that went wrong with each model, until something goes right."""
        errors = self._slots.errors()
        for name, runner in self._runners.items():
            if runner.trouble and not runner.digest:
                errors[name] = runner.trouble
        return errors

    def waits(self) -> dict[str, str]:
        """By configured model that does not run, why what is active cannot, or nothing is installed."""
        idle = (name for name, runner in self._runners.items() if not runner.digest)
        return {name: why for name in idle if (why := self._why_idle(name))}

    def pending(self) -> dict[str, Pending]:
        """By model, what waits to be active and cannot be tried now."""
        waits = {}
        for name, now in self.state.models.items():
            trouble = "" if name in self._trials.serving else self._trouble
            if now.pending and (why := self._trials.waits(name) or trouble):
                waits[name] = Pending(now.slots[now.pending].version, why)
        return waits

    def lacks(self) -> dict[str, str]:
        """By model, what the version that serves on trial has still to show."""
        return self._trials.lacks()

    def _why_idle(self, name: str) -> str:
        now, runner = self._slots.model(name), self._runners[name]
        if now.active is None:
            return "" if now.pending else self.errors().get(name, self._trouble)
        served = runner.served
        in_use = served is not None and served.digest == now.active
        return runner.trouble if in_use else self._slots.why_not_served(name)
