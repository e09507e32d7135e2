"""The changes that a device and its people ask of a store, each one decision and one durable step."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from edge_runtime.store import requests, slots, trials
from edge_runtime.store.blame import Decision
from edge_runtime.store.slots import Slot, State


class Steps(ABC):
    """What may be asked of slots that are installed; whatever is refused has changed nothing."""

    @abstractmethod
    def _change(self, decide: Callable[[State], State], *, nobody_installs: bool = False) -> State:
        """Apply one decision durably; the state as it is then."""

    @abstractmethod
    def _asked(self, decide: Callable[[State], State]) -> State:
        """The same for what people ask, who may have named a folder where nothing was ever installed."""

    def rollback(self, model: str | None = None) -> Slot:
        """Ask for the slot to go back to, and which that is; `model` may be None when there is one."""
        found: list[Slot] = []

        def decide(state: State) -> State:
            state, slot = requests.rolled_back(state, model)
            found.append(slot)
            return state

        self._asked(decide)
        return found[0]

    def activate(self, model: str | None = None, which: str | None = None) -> Slot:
        """Ask for an installed slot, by version or digest; else for what is pending already."""
        found: list[Slot] = []

        def decide(state: State) -> State:
            found.append(requests.named(state, model, which))
            return slots.requested(state, found[0].model, found[0].digest)

        self._asked(decide)
        return found[0]

    def tried(
        self, model: str, digest: str, attempts: int = trials.DEFAULT_ATTEMPTS, why: str = ""
    ) -> Slot:
        """Count one attempt of the pending slot, before it is loaded; the slot as it is then.

        It is bad when it had none left. `why` tells how the attempt before ended.
        """
        now = self._change(lambda state: trials.tried(state, model, digest, attempts, why))
        known = now.models[model]
        return known.slots.get(digest) or known.bad[digest]

    def proved(self, model: str, digest: str) -> None:
        """The pending slot gave its golden outputs on this device."""
        self._change(lambda state: trials.proved(state, model, digest))

    def refunded(self, model: str, digest: str, why: str = "") -> None:
        """A trial was stopped on purpose, or has to wait, and `why`: its attempt does not count."""
        self._change(lambda state: trials.refunded(state, model, digest, why))

    def given_up(self, model: str, digest: str) -> None:
        """The request to go back to the pending slot is over; what is active stays."""
        self._change(lambda state: trials.given_up(state, model, digest))

    def judged(self, model: str, digest: str, decision: Decision, reason: str) -> None:
        """Write down what an error said of a slot, which is `reason`; an attempt is counted already."""
        if decision == "reject":
            self.rejected(model, digest, reason)
        elif decision == "withdraw":
            self.withdrawn(model, digest)
        elif decision == "stay":
            self.given_up(model, digest)
        elif decision == "wait":
            self.refunded(model, digest, reason)

    def confirmed(self, model: str, digest: str) -> None:
        """The pending slot is good and active. StoreError when it is not pending any more."""
        self._change(lambda state: slots.confirmed(state, model, digest))

    def confirm(self, model: str | None = None) -> Slot:
        """Confirm what is on trial, on the word of whoever asks; the slot that is active then."""
        found: list[str] = []

        def decide(state: State) -> State:
            found.append(requests.named(state, model, None).model)
            return trials.confirmed_by_hand(state, found[0])

        now = self._asked(decide).models[found[0]]
        assert now.active is not None
        return now.slots[now.active]

    def rejected(self, model: str, digest: str, reason: str) -> None:
        """The pending or active slot does not work here and is never tried again."""
        self._change(lambda state: slots.rejected(state, model, digest, reason))

    def withdrawn(self, model: str, digest: str) -> None:
        """The pending or active slot's files are damaged; the same bundle may be installed again."""
        self._change(lambda state: slots.withdrawn(state, model, digest))
