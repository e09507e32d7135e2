"""Less work for one model, step by step: a lighter candidate while there is one, then fewer windows."""

from edge_runtime.agent.choosing import Choosing
from edge_runtime.agent.runner import ModelRunner
from edge_runtime.engine.candidate import Candidate

_HALVINGS = 3  # every 2nd window, every 4th, every 8th


class Easing:
    """How far a model has been eased; used by the main loop. A restart, or another version, begins anew
    with the candidates."""

    def __init__(self, runner: ModelRunner, choosing: Choosing) -> None:
        self.name = runner.name
        self._runner = runner
        self._choosing = choosing
        self._digest = ""
        self._lighter: list[Candidate] = []  # that it went over to, or is about to
        self._halvings = 0

    @property
    def version(self) -> str:
        return self._runner.version

    @property
    def serves(self) -> bool:
        """Whether anything answers now."""
        return bool(self._runner.digest)

    @property
    def goes_over(self) -> bool:
        """Whether the last step is still being taken, since another candidate loads."""
        return self._choosing.loads_another(self.name)

    @property
    def is_measured(self) -> bool:
        """Whether it is known which candidates are lighter."""
        return self._choosing.is_measured(self.name)

    def more(self) -> str:
        """One step more, in words; '' where there is none.

        A lighter candidate that comes to be known behind a halving, once it is measured, is still taken.
        """
        if candidate := self._next_lighter():
            self._lighter.append(candidate)
            return self._go_over(candidate)
        if self._halvings == _HALVINGS:
            return ""
        return self._halve(self._halvings + 1)

    def less(self) -> str:
        """One step back, in words; '' where all is as it should be."""
        if self._halvings:
            return self._halve(self._halvings - 1)
        if not self._still_the_same() or not self._lighter:
            return ""
        self._lighter.pop()
        before = self._lighter[-1] if self._lighter else self._choosing.chosen(self.name)
        return self._go_over(before) if before else ""

    def _next_lighter(self) -> Candidate | None:
        """None also while the last one has not taken over: it loads, or could not."""
        if self._still_the_same() and self._lighter and self._runner.candidate != self._lighter[-1]:
            return None
        return self._choosing.lighter(self.name)

    def _still_the_same(self) -> bool:
        """Whether the bundle is that of the last look; else its candidates are others."""
        now = self._runner.digest
        if now and now != self._digest:
            self._digest = now
            self._lighter.clear()
            return False
        return bool(now)

    def _go_over(self, candidate: Candidate) -> str:
        self._choosing.go_over(self.name, self._digest, candidate)
        return f"goes over to {candidate}"

    def _halve(self, halvings: int) -> str:
        self._halvings = halvings
        self._runner.run_every(1 << halvings)
        return f"1 of {1 << halvings} windows is run" if halvings else "every window is run"
