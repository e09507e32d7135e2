"""What a command can say of the agent on the same store, and its wait for whoever has its turn."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Literal

import msgspec

from edge_runtime.choice.record import FOLDER
from edge_runtime.errors import StoreError
from edge_runtime.store.disk import Store
from edge_runtime.store.slots import Slot
from edge_runtime.worker.release import on_disk, other_release

Say = Callable[[str], None]
Activator = Literal["agent", "command"]
_POLL_S = 0.1


class Told(msgspec.Struct, frozen=True):
    """What an agent says of the models that it is configured for: `runs`, the version of each that
    answers, '' for none; `waits`, why one does not run, of what is active or was to be installed.

    `pending`, of all models: why the version that waits to be active cannot be tried now. `lacks`: what
    one that serves on trial has still to show. `ways`: how each that answers is run. `counts`: of
    samples, windows and predictions, by the names of metrics, until `counted`, in Unix seconds.
    `in_memory`: why new rows are in memory only; '' where they are on the disk.
    """

    runs: Mapping[str, str]
    waits: Mapping[str, str] = {}
    pending: Mapping[str, str] = {}
    ways: Mapping[str, str] = {}
    lacks: Mapping[str, str] = {}
    counts: Mapping[str, Mapping[str, int]] = {}
    counted: float = 0.0
    in_memory: str = ""

    def line(self) -> str:
        """For the lock that the agent holds."""
        return msgspec.json.encode(self).decode()


_TOLD = msgspec.json.Decoder(Told)  # with the module, as `state_file` says


def told(store: Store) -> Told | None:
    """What the agent that runs says; None where none runs, or it says nothing.

    Nothing keeps it from writing while its line is read: one that makes no sense is read once more.
    """
    for _ in range(2):
        if (agent := store.agent()) is None:
            return None
        with suppress(msgspec.DecodeError):
            return _TOLD.decode(agent.said)
    return None


def why_silent(store: Store, says: Told | None) -> str:
    """Why the agent that runs says nothing; '' where `says` is what it told, or that is not known."""
    if says is not None or not store.agent_running() or os.statvfs(store.root).f_bavail:
        return ""
    return f"the disk of {store.root} is full"


def why_it_waits(says: Told | None, pending: Slot) -> str:
    """Why the `pending` slot cannot be tried; '' where it can, or that is not known.

    An agent that says it knows it better than what was written before.
    """
    return bare(pending, (says.pending.get(pending.model) if says else "") or pending.waits)


def bare(slot: Slot, why: str) -> str:
    """A reason without the version in front of it, for where that is named anyway."""
    return why.removeprefix(f"{slot.model} {slot.version}: ")


def why_stuck(store: Store) -> str:
    """Why the agent that runs takes no version up, and what to do; '' where it does or none runs."""
    agent = store.agent()
    # The release that lies where the agent's own does counts: this command may be of another place.
    if agent is None or not (release := on_disk(agent.package)):
        return ""
    if why := other_release(agent.release, release):
        return f"the agent on {store.root}, process {agent.pid}, takes nothing up: {why}"
    return ""


class Waiting:
    """A command's wait for an agent, or another command, to end its turn; `whom`: the last of them."""

    def __init__(self, store: Store, subject: str, wait_s: float, say: Say) -> None:
        self.whom: Activator = "command"
        self.wait_s = wait_s
        self._store, self._subject, self._say = store, subject, say
        self._words = self._why = ""
        self._until = time.monotonic() + wait_s
        self._look()
        self._agent_came = store.agent_running()
        self._had_turn = False

    def goes_on(self, why: str = "") -> bool:
        """Wait a moment, and tell for whom when that is another one; False after too many of them.

        `why`: what that one says of the delay, which is told at once.
        """
        words = self._look()
        if words and words != self._words:
            self._words = words
            self._say(f"{self._subject}: waits for {words}")
        if why and why != self._why:
            self._why = why
            self._say(f"{self._subject}: cannot be tried now: {why}")
        if self.whom == "agent" and not self._agent_came:  # later, while a command had its turn
            self._agent_came = True  # one that is started again and again gets no more time
            self._until = time.monotonic() + self.wait_s
        if time.monotonic() >= self._until:
            return False
        time.sleep(_POLL_S)
        return True

    def had_turn(self) -> None:
        """An agent, which may be gone again, has ended this command's own turn: that was no wait.

        Once: an agent that is started again and again gets no more time.
        """
        self.whom = "agent"
        if not self._had_turn:
            self._had_turn = True
            self._until = time.monotonic() + self.wait_s

    def gave_up(self, then: str) -> str:
        """What was waited for in vain, and what to do; `then`: a sentence on what is now."""
        whom = self._words or ("the agent" if self.whom == "agent" else "another process")
        return (
            f"{self._subject}: {whom} did not end within {self.wait_s:g} s. "
            f"Wait for that and try again. {then}"
        )

    def _look(self) -> str:
        if self._store.agent_running():
            self.whom = "agent"
            agent = self._store.agent()
            return f"the agent, process {agent.pid}" if agent else "the agent"
        if other := self._store.activator():
            self.whom = "command"
            return f"another command (process {other.pid}) that measures or tries a version"
        return ""


def demand_no_agent(store: Store, variant: str, provider: str, *, again: bool = False) -> None:
    """Raise StoreError where a command is to say what runs, and an agent's configuration says it.

    Also where it is to measure `again` what an agent serves.
    """
    pins = {"variant": variant, "provider": provider}
    given = [name for name, value in pins.items() if value]
    if given and store.agent_running():
        options = " and ".join(f"--{name}" for name in given)
        settings = " and ".join(f"`models[].{name} = {pins[name]!r}`" for name in given)
        raise StoreError(
            f"{store.root}: {options} would say what runs where no agent does, and one runs here. "
            f"Nothing was changed. Write {settings} into its configuration, then: "
            "systemctl restart edge-runtime."
        )
    if again and store.agent_running():
        raise StoreError(
            f"{store.root}: --again would measure beside the agent, which does that by itself. Nothing "
            f"was changed. Remove {store.root / FOLDER}, then: systemctl restart edge-runtime."
        )
