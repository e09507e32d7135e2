"""A store's trust: rotated by the keys it trusts, durable, and never half changed."""

from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from edge_runtime import durable
from edge_runtime.bundle import Root, decode_root
from edge_runtime.bundle.root_file import Terms, add_signature, draft
from edge_runtime.errors import EdgeError, StoreBusyError, StoreError, TrustError
from edge_runtime.store import locks
from edge_runtime.store.disk import Store
from tests.edge_runtime.store.rig import ROOT, Shelf
from tests.support.disk_recorder import Recorder
from tests.support.power_loss import crash_states
from tests.support.sigkill import Killer
from tests.support.tiny_bundle import KEY, OTHER_KEY, root_bytes

EXPIRES = datetime(2046, 1, 1, tzinfo=timezone.utc)


def next_root(version: int, old: ec.EllipticCurvePrivateKey, new: ec.EllipticCurvePrivateKey) -> bytes:
    """A root that hands everything from one key to another."""
    public = [new.public_key()]
    raw = draft(Terms(version, EXPIRES, public, public))
    return add_signature(add_signature(raw, old), new)


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


class TestCrashes:
    def test_after_a_power_cut_it_is_the_old_root_or_the_new_one_whole(
        self, shelf: Shelf, tmp_path: Path
    ) -> None:
        shelf = Shelf(tmp_path, "disk/store")
        (tmp_path / "disk").mkdir()
        shelf.install("1.0.0")

        with Recorder(shelf.store.root.parent) as recorder:
            shelf.store.update_trust([SECOND])

        assert fault_after_a_power_cut(recorder, tmp_path / "crashed") == ""

    @pytest.mark.parametrize("left_out", ["sync_folder", "rename first"])
    def test_a_store_that_forgets_to_flush_is_found_out(
        self, left_out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shelf = Shelf(tmp_path, "disk/store")
        (tmp_path / "disk").mkdir()
        shelf.install("1.0.0")
        if left_out == "sync_folder":
            monkeypatch.setattr(durable, "sync_folder", lambda path: None)
        else:
            monkeypatch.setattr(durable, "replace_file", lambda path, data: path.write_bytes(data))

        with Recorder(shelf.store.root.parent) as recorder:
            shelf.store.update_trust([SECOND])

        assert fault_after_a_power_cut(recorder, tmp_path / "crashed") != ""

    def test_killed_before_any_call_it_is_the_old_root_or_the_new_one(self, shelf: Shelf) -> None:
        shelf.install("1.0.0")
        path = shelf.store.root / "trust" / "root.json"
        found = set[int]()
        with Killer() as killer:
            for call in range(1, 200):
                durable.replace_file(path, ROOT.raw)
                if not killer.killed(call, shelf.store.update_trust, [SECOND]):
                    break
                found.add(_trusted(shelf.store).version)
                assert shelf.store.update_trust([SECOND]).version == 2
        assert found == {1, 2}


def fault_after_a_power_cut(recorder: Recorder, folder: Path) -> str:
    """What is wrong on the first disk that is not as promised; '' when all are."""
    checked = 0
    for checked, crash in enumerate(crash_states(recorder), 1):
        folder.mkdir(exist_ok=True)
        crash.materialise(folder / str(checked))
        store = Store(folder / str(checked) / "store")
        try:
            found = _trusted(store).version
            if found not in ({2} if crash.is_last else {1, 2}):
                return f"version {found}\n{crash.story}"
            store.update_trust([SECOND])
        except EdgeError as error:
            return f"{error}\n{crash.story}"
    assert checked
    return ""


def _trusted(store: Store) -> Root:
    root = store.trusted_root()
    if root is None:
        raise TrustError("the store has forgotten whom it trusts.")
    return root


def test_a_pinned_root_that_is_damaged_is_named_once_with_what_to_do(shelf: Shelf) -> None:
    shelf.run("1.0.0")
    pinned = shelf.store.root / "trust" / "root.json"
    pinned.write_bytes(pinned.read_bytes()[:-1])

    for ask in (shelf.store.trusted_root, partial(shelf.install, "1.1.0")):
        with pytest.raises(TrustError) as caught:
            ask()
        assert str(caught.value).count(str(pinned)) == 1
        assert str(caught.value).endswith("put a copy of the fleet's root file there.")
