"""Loading a bundle in a worker of its own, chosen and ready, while what serves keeps serving."""

import threading
from collections.abc import Callable
from pathlib import Path

from edge_runtime.agent.serving import Installed
from edge_runtime.choice.bringing_up import Brought, Chooser
from edge_runtime.choice.decision import resolved
from edge_runtime.choice.measuring import Cancelled, Held
from edge_runtime.engine.candidate import Candidate
from edge_runtime.errors import EdgeError, UnavailableError
from edge_runtime.worker import Worker


class Trial:
    """Brings a worker up for a slot, in the background; once `done`, see `error`, or `take` the worker.

    Which candidate it runs is measured first, unless that is recorded or nobody may wait for it.
    `brought`: what was found then.
    """

    def __init__(
        self,
        model: str,
        digest: str,
        open_slot: Callable[[], Installed],
        *,
        chooser: Chooser,
        store: Path,
        wanted: Candidate | None = None,
        serving: Candidate | None = None,
        at_once: bool = False,
    ) -> None:
        """
        Args:
            model: its name, for the thread's.
            digest: of the slot.
            open_slot: what gives its bundle.
            chooser: how candidates are started and chosen.
            store: the store's folder.
            wanted: the candidate to bring up, where that is no question.
            serving: what serves already; where that is chosen, no other worker is brought up.
            at_once: nothing serves meanwhile, so what runs is the first guess; it is measured later.
        """
        self.digest = digest
        self.wanted = wanted
        self.error: EdgeError | None = None
        self.brought: Brought | None = None
        self._open_slot = open_slot
        self._chooser = chooser
        self._store = store
        self._serving = serving
        self._at_once = at_once
        self._installed: Installed | None = None
        self._candidate: Candidate | None = None
        self._held = Held()
        self._thread = threading.Thread(target=self._run, name=f"trial-{model}")
        try:
            self._thread.start()
        except RuntimeError as error:  # the system has none left
            self.error = _cannot_now(error)

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def take(self) -> tuple[Installed, Worker | None, Candidate | None]:
        """The bundle, its ready worker, which is the caller's now, and what it was to run.

        No worker where what serves is the best already; None for the author's first that can.
        """
        self._thread.join()
        assert self._installed is not None
        return self._installed, self._held.take(), self._candidate

    def cancel(self) -> None:
        """End the trial and what it started."""
        self._held.cancel()
        if self._thread.ident is not None:  # else it could not be started
            self._thread.join()
        self._held.close()

    def _run(self) -> None:
        try:
            self._installed = self._open_slot()
            bundle = self._installed.unpacked(self._store)
            candidate = self.wanted
            if self._at_once:
                candidate = self._chooser.first_guess(bundle)
            elif candidate is None:
                self.brought = self._chooser.choose(bundle, self._held)
                candidate = self.brought.record.chosen
                known = self.brought.record.candidates
                if self._serving and resolved(known, self._serving) == candidate:
                    self._held.close()
                    self._candidate = candidate
                    return
            self._chooser.bring_up(bundle, candidate, self._held)
            self._candidate = candidate
        except Cancelled:
            self._held.close()
        except EdgeError as error:
            self.error = error
            self._held.close()
        except Exception as error:  # noqa: BLE001 (no descriptor is left, say: nothing was proved)
            self.error = _cannot_now(error)
            self._held.close()


def _cannot_now(error: Exception) -> UnavailableError:
    return UnavailableError(f"it cannot be tried now: {type(error).__name__}: {error}.")
