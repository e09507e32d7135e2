"""From an installed slot to its worker: what is recorded is taken, else it is measured."""

from dataclasses import dataclass, field
from pathlib import Path

from edge_runtime.choice import record as records
from edge_runtime.choice.decision import Measured, chosen
from edge_runtime.choice.key import Key, allows, same_machine
from edge_runtime.choice.measuring import Held, Limits, Say, Start, measure
from edge_runtime.choice.record import Record
from edge_runtime.engine.candidate import Candidate
from edge_runtime.errors import StorageError


@dataclass(frozen=True)
class Unpacked:
    """One installed bundle: how people call it, its digest, its folder, and where its record is kept."""

    subject: str
    digest: str
    folder: Path
    record: Path


@dataclass(frozen=True)
class Brought:
    """record: what was found, and chosen. is_new: whether it was found just now. trouble: why the record
    could not be kept, '' where it was."""

    record: Record
    is_new: bool
    trouble: str = ""


@dataclass(frozen=True)
class Chooser:
    """How the candidates of one model are started, measured and chosen on this device."""

    start: Start
    key: Key
    limits: Limits = field(default_factory=Limits)
    say: Say = lambda _: None

    def recorded(self, path: Path) -> Record | None:
        """What was measured of a slot, whose record `path` is, where it still holds."""
        found = records.read(path)
        return found if found is not None and found.key == self.key else None

    def first_guess(self, bundle: Unpacked) -> Candidate | None:
        """What to run before anything is measured: what was chosen by this machine as it is.

        None where that is not what is configured by now: a provider may be pinned as another fails.
        """
        found = records.read(bundle.record)
        if found is None or not (same_machine(found.key, self.key) and allows(self.key, found.chosen)):
            return None
        return found.chosen

    def choose(self, bundle: Unpacked, held: Held) -> Brought:
        """What is recorded, or else measured now and recorded; raises what `measure` does.

        Where the bundle has one candidate only, its worker is in `held` then, ready to serve. A record
        that cannot be written is trouble, and no error.
        """
        if (known := self.recorded(bundle.record)) is not None:
            return Brought(known, is_new=False)
        rows = measure(bundle.subject, bundle.folder, self.start, held, limits=self.limits, say=self.say)
        found = self._record(bundle, rows)
        try:
            records.write(bundle.record, found)
        except StorageError as error:
            return Brought(found, is_new=True, trouble=str(error))
        return Brought(found, is_new=True)

    def bring_up(self, bundle: Unpacked, candidate: Candidate | None, held: Held) -> None:
        """Have a worker of this candidate in `held`, ready, or of the author's first that can serve for
        None; what is ready there already is kept.

        Where it fails, another candidate serves. Raises what `Worker.wait_ready` does, and Cancelled.
        """
        if held.is_ready:
            return
        with held.watched():
            worker = held.start(
                lambda: self.start(bundle.folder, subject=bundle.subject, preferred=candidate)
            )
            worker.wait_ready(self.limits.load_s)

    def _record(self, bundle: Unpacked, rows: tuple[Measured, ...]) -> Record:
        best = chosen(rows, self.key.prefer)
        assert best is not None  # else measuring had raised
        return Record(digest=bundle.digest, key=self.key, rows=rows, chosen=best)
