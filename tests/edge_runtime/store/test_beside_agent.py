"""What a command reads of the line that an agent writes beside it."""

from pathlib import Path

from edge_runtime.store.beside_agent import Told, told
from edge_runtime.store.disk import Store
from edge_runtime.store.locks import Holder


class Torn(Store):
    """Its agent's line was being written when it was read for the first time."""

    def agent(self) -> Holder | None:
        found = super().agent()
        if found is None or self._read:
            return found
        self._read = True
        return found._replace(said=found.said[:20])

    _read = False


def test_a_line_that_was_being_written_is_read_once_more(tmp_path: Path) -> None:
    store, says = Torn(tmp_path / "store"), Told({"tiny": "1.0.0"}, counted=4.5)
    with store.agent_lock() as lock:
        lock.say(says.line())
        assert told(store) == says


def test_of_an_agent_that_says_nothing_nothing_is_known(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    assert told(store) is None
    with store.agent_lock():
        assert told(store) is None
