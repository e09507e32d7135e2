"""Whom the fleet is told that this device trusts, as long as the agent runs."""

from edge_runtime.agent.books import Books
from edge_runtime.agent.rows import root_report
from edge_runtime.agent.stamp import stamp
from edge_runtime.errors import EdgeError
from edge_runtime.store.disk import Store
from edge_runtime.telemetry.messages import RootReport


class TrustedRoot:
    """Follows the store's root file, which `trust update` replaces beside a running agent."""

    def __init__(self, store: Store, books: Books) -> None:
        self._store = store
        self._file = store.root / "trust" / "root.json"
        self._books = books
        self._stamp: tuple[int, ...] | None = None
        self._report: RootReport | None = None

    def look(self) -> RootReport | None:
        """The root file as it is now; None where there is none, or none that can be read."""
        now = stamp(self._file)
        if now != self._stamp:
            self._stamp, self._report = now, self._read()
        return self._report

    def _read(self) -> RootReport | None:
        try:
            return root_report(self._store.trusted_root())
        except EdgeError as error:
            self._books.note_once("store trouble", detail=str(error))
            return None
