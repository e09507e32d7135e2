"""Whose turn it is to activate: an agent's where one runs, else one command's at a time.

An agent that starts beside a command that measures goes first: what the command loads is ended, and it
waits for the agent, as all commands do then.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.errors import StoreBusyError
from edge_runtime.store import locks, reserve

if TYPE_CHECKING:
    from edge_runtime.choice.measuring import Held

_AGENT, _ACTIVATE = "agent.lock", "activate.lock"
_LOOK_S = 0.2
_MAKES_WAY_S = 10.0  # for a command to end what it measures, on a slow and busy board


class Turns(ABC):
    """The two locks of a store that say so."""

    root: Path

    @abstractmethod
    def _create(self) -> None:
        """Make the store's folder where there is none."""

    @contextmanager
    def agent_lock(
        self, *, wait_s: float = 5.0, say: Callable[[str], None] = lambda _: None
    ) -> Iterator[locks.Lock]:
        """Be the agent, and so the one that activates; a command that does it now makes way.

        One that was stopped cannot, by Ctrl-Z or in a debugger, and nobody may come to end it: what is
        active is served all the same, and `say` hears of it. When it goes on it sees the agent.

        Raises StoreBusyError when another agent runs.
        """
        self._create()
        with ExitStack() as stack:
            lock = self._only_agent(stack, wait_s, say)
            try:
                stack.enter_context(self._activating(wait_s=_MAKES_WAY_S))
            except StoreBusyError:
                other = self.activator()
                say(
                    f"{self.root}: a command{f' (process {other.pid})' if other else ''} that measures "
                    "or tries a version does not make way, and is not waited for. If it is stopped, end "
                    "it or let it go on."
                )
            reserve.keep(self.root)
            yield lock

    def _only_agent(self, stack: ExitStack, wait_s: float, say: Callable[[str], None]) -> locks.Lock:
        """One that ends just now is waited for, as at a restart; any other does not end by itself."""
        runs = f"{self.root}: another agent runs here"
        with suppress(StoreBusyError):  # where the lock cannot be looked at, taking it tells why
            if other := self.agent():
                say(f"{runs}: process {other.pid}. It is waited for, {wait_s:g} s at most.")
        try:
            purpose = "another agent runs here"
            return stack.enter_context(locks.held(self.root / _AGENT, wait_s=wait_s, purpose=purpose))
        except StoreBusyError as error:
            if (other := self.agent()) is None:
                raise
            raise StoreBusyError(
                f"{runs}: process {other.pid} serves from this data already. End that one first, or "
                "give this one a `device.data` of its own; `edge-runtime status` tells what runs."
            ) from error

    def agent_running(self) -> bool:
        return locks.is_held(self.root / _AGENT)

    def agent(self) -> locks.Holder | None:
        """The agent that runs, as far as it can be told."""
        return locks.holder(self.root / _AGENT)

    def activator(self) -> locks.Holder | None:
        """The process that activates now, as far as it can be told."""
        return locks.holder(self.root / _ACTIVATE)

    @contextmanager
    def turn(self) -> "Iterator[Held | None]":
        """For a command: what it may load in while it activates; None where it is not its turn.

        When an agent starts, what loads there is cancelled.
        """
        from edge_runtime.choice.measuring import Held

        with ExitStack() as stack:
            mine = False
            if not self.agent_running():
                with suppress(StoreBusyError):
                    stack.enter_context(self._activating(wait_s=0))
                    mine = not self.agent_running()  # else it waits for us already
            if not mine:
                stack.close()
                yield None
                return
            held = Held()
            stack.callback(held.close)
            stack.enter_context(self._watched(held))
            yield held

    def _activating(self, *, wait_s: float) -> AbstractContextManager[locks.Lock]:
        purpose = "a command measures or tries a version here"
        return locks.held(self.root / _ACTIVATE, wait_s=wait_s, purpose=purpose)

    @contextmanager
    def _watched(self, held: "Held") -> Iterator[None]:
        over = threading.Event()

        def watch() -> None:
            while not over.wait(_LOOK_S):
                with suppress(StoreBusyError):  # a lock that cannot be looked at
                    if self.agent_running():
                        held.cancel()
                        return

        thread = threading.Thread(target=watch, name="makes-way")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
