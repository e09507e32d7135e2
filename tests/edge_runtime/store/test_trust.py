"""A store's trust: rotated by the keys it trusts, durable, and never half changed."""

from functools import partial

import pytest

from edge_runtime.bundle import decode_root
from edge_runtime.errors import StoreBusyError, StoreError, TrustError
from edge_runtime.store import locks
from edge_runtime.store.disk import Store
from tests.edge_runtime.store.paths import next_root
from tests.edge_runtime.store.rig import ROOT, Shelf
from tests.support.tiny_bundle import KEY, OTHER_KEY, root_bytes

SECOND = next_root(2, KEY, OTHER_KEY)
THIRD = next_root(3, OTHER_KEY, KEY)


def pinned(shelf: Shelf) -> bytes:
    return (shelf.store.root / "trust" / "root.json").read_bytes()


class TestRotation:
    def test_what_is_installed_runs_on_and_what_is_new_is_held_to_the_new_root(
        self, shelf: Shelf
    ) -> None:
        slot = shelf.run("1.0.0")

        assert shelf.store.update_trust([SECOND]).version == 2

        assert shelf.model().active == slot.digest
        assert shelf.store.slot_path("tiny", slot.digest).is_dir()
        with pytest.raises(TrustError, match="at least 1 of the trusted keys"):
            shelf.store.install(shelf.bundle("1.1.0"))
        assert shelf.store.install(shelf.bundle("1.1.0", key=OTHER_KEY)).state == "staged"

    def test_the_root_file_of_the_first_install_may_still_be_given(self, shelf: Shelf) -> None:
        shelf.install("1.0.0")
        shelf.store.update_trust([SECOND])

        path = shelf.bundle("1.1.0", key=OTHER_KEY)
        assert shelf.store.install(path, root=ROOT).state == "staged"
        with pytest.raises(TrustError, match="at least 1 of the trusted keys"):
            shelf.store.install(shelf.bundle("1.2.0", key=KEY), root=ROOT)

    def test_a_later_root_does_not_come_in_with_an_install(self, shelf: Shelf) -> None:
        shelf.install("1.0.0")

        with pytest.raises(TrustError, match="`edge-runtime trust update`"):
            shelf.store.install(shelf.bundle("1.1.0", key=OTHER_KEY), root=decode_root(SECOND))
        assert pinned(shelf) == ROOT.raw

    def test_a_bundle_brings_no_root(self, shelf: Shelf) -> None:
        shelf.install("1.0.0")

        shelf.store.install(
            shelf.bundle("1.1.0", extra={"trust/root.json": SECOND, "root.json": SECOND})
        )

        assert pinned(shelf) == ROOT.raw

    def test_a_device_that_was_away_is_given_all_versions_in_between(self, shelf: Shelf) -> None:
        shelf.install("1.0.0")

        with pytest.raises(TrustError, match="give them too"):
            shelf.store.update_trust([THIRD])
        assert shelf.store.update_trust([SECOND, THIRD]).version == 3
        assert shelf.store.update_trust([SECOND, THIRD]).version == 3
        with pytest.raises(TrustError, match="version 3 or later, found 2"):
            shelf.store.update_trust([SECOND])
        assert pinned(shelf) == THIRD

    @pytest.mark.parametrize(
        "raws",
        [
            [SECOND[:-40]],
            [b""],
            [SECOND, THIRD[:500]],
            [root_bytes(OTHER_KEY)],
            [next_root(2, OTHER_KEY, OTHER_KEY)],
            [next_root(3, KEY, OTHER_KEY)],
        ],
        ids=["truncated", "empty", "a good one and half a one", "another", "a stranger's", "skips"],
    )
    def test_what_is_refused_changes_nothing(self, shelf: Shelf, raws: list[bytes]) -> None:
        shelf.run("1.0.0")

        with pytest.raises(TrustError):
            shelf.store.update_trust(raws)

        assert pinned(shelf) == ROOT.raw
        assert shelf.store.install(shelf.bundle("1.1.0")).state == "staged"

    def test_an_install_that_verified_with_the_old_root_does_not_commit_after_the_new(
        self, shelf: Shelf
    ) -> None:
        shelf.install("1.0.0")

        class Overtaken(Store):
            def _create(self) -> None:
                shelf.store.update_trust([SECOND])

        with pytest.raises(TrustError, match=r"told anew whom to trust\. Try again"):
            Overtaken(shelf.store.root).install(shelf.bundle("1.1.0"))
        assert [slot.version for slot in shelf.model().slots.values()] == ["1.0.0"]

    def test_it_waits_for_an_install_but_not_for_an_agent(self, shelf: Shelf) -> None:
        shelf.install("1.0.0")
        store = Store(shelf.store.root, lock_wait_s=0.05)

        install = locks.held(store.root / "install.lock", wait_s=0, purpose="a test")
        with install, pytest.raises(StoreBusyError):
            store.update_trust([SECOND])
        with store.agent_lock():
            assert store.update_trust([SECOND]).version == 2

    def test_a_store_that_trusts_nobody_has_nothing_to_rotate(self, shelf: Shelf) -> None:
        with pytest.raises(StoreError, match="there is no store here"):
            shelf.store.update_trust([SECOND])
        shelf.store.install(shelf.bundle("1.0.0", key=None), allow_unsigned=True)
        with pytest.raises(StoreError, match="with --trust"):
            shelf.store.update_trust([SECOND])


def test_a_pinned_root_that_is_damaged_is_named_once_with_what_to_do(shelf: Shelf) -> None:
    shelf.run("1.0.0")
    pinned = shelf.store.root / "trust" / "root.json"
    pinned.write_bytes(pinned.read_bytes()[:-1])

    for ask in (shelf.store.trusted_root, partial(shelf.install, "1.1.0")):
        with pytest.raises(TrustError) as caught:
            ask()
        assert str(caught.value).count(str(pinned)) == 1
        assert str(caught.value).endswith("put a copy of the fleet's root file there.")
