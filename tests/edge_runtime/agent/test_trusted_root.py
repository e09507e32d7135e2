"""What the fleet is told of a device's root file follows the file in the store."""

from pathlib import Path

from edge_runtime.agent.books import Books
from edge_runtime.agent.trusted_root import TrustedRoot
from edge_runtime.store.disk import Store
from edge_runtime.telemetry.outbox import Outbox
from tests.edge_runtime.store.test_trust import SECOND
from tests.support.tiny_bundle import root, tiny_bundle


def test_it_follows_the_file_and_one_that_is_damaged_is_told_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with Outbox(tmp_path / "outbox.db") as outbox:
        trusted = TrustedRoot(store, Books(outbox, None))
        assert trusted.look() is None

        bundle = tmp_path / "tiny.edge"
        bundle.write_bytes(tiny_bundle())
        store.install(bundle, root=root())
        first = trusted.look()
        assert first is not None
        assert (first.version, first.expires) == (1, root().expires.timestamp())

        store.update_trust([SECOND])
        second = trusted.look()
        assert second is not None
        assert second.version == 2

        (tmp_path / "store" / "trust" / "root.json").write_text("{")
        assert trusted.look() is None
        assert trusted.look() is None
        assert outbox.counts().rows == 1  # the event
