"""What is active is measured while it serves, if that is not recorded; a better candidate takes over."""

from collections.abc import Container, Mapping

from edge_runtime.agent.books import Books
from edge_runtime.agent.runner import ModelRunner, candidate_of
from edge_runtime.agent.slots import Slots
from edge_runtime.agent.trial import Trial
from edge_runtime.choice.bringing_up import Brought
from edge_runtime.choice.decision import able, lighter
from edge_runtime.choice.record import Record, path_of
from edge_runtime.choice.text import in_short
from edge_runtime.engine.candidate import Candidate
from edge_runtime.store.disk import Store


def tell_choice(books: Books, name: str, version: str, brought: Brought) -> None:
    """What was chosen out of several just now, and whether it could be written down."""
    record = brought.record
    if brought.is_new and record.was_measured:
        books.note("variant chosen", name, version, f"{record.chosen}, of: {in_short(record.rows)}")
    if brought.trouble:
        books.note_once("store trouble", name, version, brought.trouble)


class Choosing:
    """One model at a time, in the background; what serves goes on until another worker is ready.

    A version on trial is left alone, and so is what is about to be replaced by one.
    """

    def __init__(
        self, store: Store, books: Books, runners: Mapping[str, ModelRunner], slots: Slots
    ) -> None:
        self._store = store
        self._books = books
        self._runners = runners
        self._slots = slots
        self._looked_at: dict[str, str] = {}  # the digest of each model whose record was looked at
        self._asked: dict[str, tuple[str, Candidate]] = {}  # of which digest
        self._loading: tuple[str, Trial] | None = None

    def step(self, on_trial: Container[str]) -> None:
        """Take over what is ready, then begin with the next model."""
        if self._loading is not None:
            name, trial = self._loading
            if self._active(name, on_trial) != trial.digest:
                trial.cancel()
                self._looked_at.pop(name, None)
            elif trial.done:
                self._finish(name, trial)
            else:
                return
            self._loading = None
        for name in self._runners:
            digest = self._active(name, on_trial)
            answers = digest and digest == self._runners[name].digest
            begun = self._begin(name, digest) if answers else None
            if begun is not None:
                self._loading = name, begun
                return

    def stop(self) -> None:
        """End what loads."""
        if self._loading is not None:
            self._loading[1].cancel()
            self._loading = None

    def lighter(self, name: str) -> Candidate | None:
        """The next lighter candidate than the one that answers now, as measured here; None for none."""
        runner = self._runners[name]
        running, digest = runner.candidate, runner.digest
        if running is None:
            return None
        found = self._recorded(name, digest)
        return lighter(found.rows, running) if found else None

    def chosen(self, name: str) -> Candidate | None:
        """The candidate that was chosen for what answers now; None where nothing is recorded."""
        found = self._recorded(name, self._runners[name].digest)
        return found.chosen if found else None

    def is_measured(self, name: str) -> bool:
        """Whether the candidates of what answers now were compared."""
        return self._recorded(name, self._runners[name].digest) is not None

    def loads_another(self, name: str) -> bool:
        """Whether a candidate that was asked for loads, to take over."""
        return self._loading is not None and self._loading[0] == name and bool(self._loading[1].wanted)

    def go_over(self, name: str, digest: str, candidate: Candidate) -> None:
        """Have another candidate of the bundle `digest` take over, once it is ready beside what serves.

        It is not done where another bundle is active by then, and nothing is remembered of it: the next
        start serves what was chosen.
        """
        self._asked[name] = digest, candidate

    def _active(self, name: str, on_trial: Container[str]) -> str:
        """The digest of what is active and is to stay for now; '' for nothing."""
        now = self._slots.model(name)
        return "" if name in on_trial or now.pending else now.active or ""

    def _begin(self, name: str, digest: str) -> Trial | None:
        of, asked = self._asked.pop(name, ("", None))
        if of != digest:
            asked = None
        runner = self._runners[name]
        if asked is None and self._looked_at.get(name) == digest:
            return None
        found = self._recorded(name, digest)
        if asked is None:
            self._looked_at[name] = digest
            if found is not None:
                return None
        elif asked not in _able(found):
            return None
        return Trial(
            name,
            digest,
            lambda: self._slots.installed(name, digest),
            chooser=runner.chooser,
            store=self._store.root,
            wanted=asked,
            serving=runner.candidate,
        )

    def _finish(self, name: str, trial: Trial) -> None:
        runner = self._runners[name]
        if trial.error is not None:
            event = "variant not changed" if trial.wanted else "variants not measured"
            self._books.note_once(event, name, runner.version, str(trial.error))
            return
        if trial.brought is not None:
            tell_choice(self._books, name, runner.version, trial.brought)
        installed, worker, candidate = trial.take()
        if worker is None:
            return
        if candidate_of(worker.info) != candidate:  # it failed, and what it runs instead is no better
            worker.close()
            self._books.note_once(
                "variant not changed", name, runner.version, " ".join(worker.info.notes)
            )
            return
        runner.serve(installed, worker, preferred=candidate)
        self._books.note("variant changed", name, runner.version, f"to {candidate}")

    def _recorded(self, name: str, digest: str) -> Record | None:
        return self._runners[name].chooser.recorded(path_of(self._store.root, name, digest))


def _able(found: Record | None) -> list[Candidate]:
    return [each.candidate for each in able(found.rows)] if found else []
