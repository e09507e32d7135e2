"""The store on a real disk: what an install, a rollback and a fault leave there."""

import hashlib
import io
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import edge_runtime
from edge_runtime.bundle import Bundle, read_index
from edge_runtime.errors import (
    BundleError,
    OlderReleaseError,
    StorageError,
    StoreBusyError,
    StoreError,
    TrustError,
)
from edge_runtime.store import disk
from edge_runtime.store.disk import Store
from edge_runtime.store.unpack import unpack
from tests.edge_runtime.store.rig import ROOT, Shelf, confirm, damage
from tests.support.tiny_bundle import MODEL_FILE, OTHER_KEY, root


def test_an_installed_bundle_is_pending_and_whole_on_the_disk(shelf: Shelf) -> None:
    slot = shelf.install("1.0.0")

    assert (slot.model, slot.version, slot.release, slot.state) == ("tiny", "1.0.0", 1_000_000, "staged")
    assert (shelf.model().pending, shelf.model().active) == (slot.digest, None)
    assert damage(shelf.store) == ""


def test_the_files_of_a_slot_are_plain_fresh_files(shelf: Shelf) -> None:
    slot = shelf.install("1.0.0")

    for path in shelf.store.slot_path("tiny", slot.digest).rglob("*"):
        found = path.lstat()
        assert stat.S_ISDIR(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_nlink == 1)


def test_activation_makes_it_active_and_the_old_one_the_way_back(shelf: Shelf) -> None:
    one, two = shelf.run("1.0.0"), shelf.run("1.1.0")

    assert (shelf.model().active, shelf.model().previous) == (two.digest, one.digest)
    assert shelf.model().floor == two.release


def test_only_the_active_slot_and_the_way_back_keep_their_files(shelf: Shelf) -> None:
    kept = [shelf.run(version) for version in ("1.0.0", "1.1.0", "1.2.0")][1:]

    assert shelf.files() == {f"tiny/{slot.digest}" for slot in kept}


def test_a_rollback_makes_the_one_before_pending(shelf: Shelf) -> None:
    one, _ = shelf.run("1.0.0"), shelf.run("1.1.0")

    assert shelf.store.rollback() == shelf.model().slots[one.digest]
    assert shelf.model().pending == one.digest


def test_two_models_live_beside_each_other(shelf: Shelf) -> None:
    shelf.run("1.0.0"), shelf.run("2.0.0", name="other")

    assert set(shelf.store.state().models) == {"tiny", "other"}
    with pytest.raises(StoreError, match=r"other, tiny\. Name one\."):
        shelf.store.rollback()


def test_installing_what_runs_already_changes_nothing(shelf: Shelf) -> None:
    shelf.run("1.0.0")
    before = shelf.store.state()

    assert shelf.install("1.0.0").state == "good"
    assert shelf.store.state() == before


def test_an_altered_copy_of_what_runs_already_is_refused_too(shelf: Shelf) -> None:
    shelf.run("1.0.0")
    path = shelf.bundle("1.0.0")
    raw = bytearray(path.read_bytes())
    model = read_index(io.BytesIO(raw))[MODEL_FILE]
    raw[model.offset] ^= 1
    path.write_bytes(raw)

    with pytest.raises(BundleError, match="altered"):
        shelf.store.install(path)
    assert damage(shelf.store) == ""


def test_installing_again_mends_a_slot_whose_files_are_damaged(shelf: Shelf) -> None:
    slot = shelf.run("1.0.0")
    (shelf.store.slot_path("tiny", slot.digest) / MODEL_FILE).write_bytes(b"rotten")

    shelf.install("1.0.0")

    assert damage(shelf.store) == ""
    shutil.rmtree(shelf.store.slot_path("tiny", slot.digest))
    with pytest.raises(BundleError, match=r"are not in .*slots\. Install it again"):
        shelf.store.slot_path("tiny", slot.digest)
    shelf.install("1.0.0")
    assert damage(shelf.store) == ""


def test_a_rejected_bundle_loses_its_files_and_is_refused_with_its_reason(shelf: Shelf) -> None:
    shelf.run("1.0.0")
    bad = shelf.install("1.1.0")
    shelf.store.rejected("tiny", bad.digest, "golden row 2 differs by 0.4.")

    assert f"tiny/{bad.digest}" not in shelf.files()
    with pytest.raises(StoreError, match=r"tiny 1\.1\.0.*rejected: golden row 2 differs by 0\.4"):
        shelf.install("1.1.0")
    assert shelf.model().active


def test_a_damaged_copy_is_withdrawn_and_may_come_back(shelf: Shelf) -> None:
    slot = shelf.install("1.0.0")
    shelf.store.withdrawn("tiny", slot.digest)

    assert shelf.files() == set()
    assert shelf.install("1.0.0").state == "staged"


def test_a_confirm_that_declares_a_floor_removes_the_files_below_it(shelf: Shelf) -> None:
    shelf.run("1.0.0")
    mended = shelf.install("1.1.0", floor=1_001_000)
    assert len(shelf.files()) == 2

    confirm(shelf.store, mended)

    assert shelf.files() == {f"tiny/{mended.digest}"}
    with pytest.raises(OlderReleaseError, match="release 1000000 is below 1001000"):
        shelf.install("1.0.0")
    with pytest.raises(StoreError, match=r"Version 1\.1\.0 declared that no release below 1001000"):
        shelf.store.rollback()
    with pytest.raises(StoreError, match=r"Version 1\.1\.0 declared that no release below 1001000"):
        shelf.store.activate("tiny", "1.0.0")
    assert damage(shelf.store) == ""


def test_old_content_comes_back_as_a_new_bundle_of_a_higher_release(shelf: Shelf) -> None:
    shelf.run("1.0.0"), shelf.run("1.1.0", floor=1_001_000)

    again = shelf.run("1.0.1", release=1_001_000)

    assert (shelf.model().active, shelf.model().declared) == (again.digest, 1_001_000)


def test_a_release_that_is_unpacked_while_the_floor_rises_leaves_nothing(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever confirms need not wait for an install: the floor may rise before it commits."""
    waiting = shelf.install("1.2.0")

    def unpack_slowly(bundle: Bundle, folder: Path) -> None:
        confirm(shelf.store, waiting)
        unpack(bundle, folder)

    monkeypatch.setattr(disk, "unpack", unpack_slowly)
    with pytest.raises(OlderReleaseError, match="release 1001000 is below 1002000"):
        shelf.install("1.1.0")

    assert (shelf.model().active, shelf.model().pending) == (waiting.digest, None)
    assert damage(shelf.store) == ""


def test_an_older_release_is_refused(shelf: Shelf) -> None:
    shelf.run("1.1.0")

    with pytest.raises(OlderReleaseError, match="1000000 is below 1001000"):
        shelf.install("1.0.0")
    assert shelf.install("1.0.1", release=1_001_000).state == "staged"


def test_an_altered_bundle_leaves_the_store_as_it_was(shelf: Shelf) -> None:
    shelf.run("1.0.0")
    before = shelf.store.state(), shelf.files()
    path = shelf.bundle("1.1.0")
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"A model for tests")] ^= 1
    path.write_bytes(raw)

    with pytest.raises(BundleError):
        shelf.store.install(path, root=ROOT)
    assert (shelf.store.state(), shelf.files()) == before


class TestTrust:
    def test_the_first_root_is_pinned_and_used_from_then_on(self, shelf: Shelf) -> None:
        shelf.install("1.0.0")

        assert shelf.store.trusted_root() == ROOT
        assert shelf.store.install(shelf.bundle("1.1.0")).state == "staged"
        with pytest.raises(TrustError):
            shelf.store.install(shelf.bundle("1.2.0", key=OTHER_KEY))

    def test_the_same_root_again_is_fine_and_another_is_not(self, shelf: Shelf) -> None:
        shelf.install("1.0.0")

        assert shelf.install("1.1.0").state == "staged"
        with pytest.raises(TrustError, match="trusts another root file"):
            shelf.store.install(shelf.bundle("1.2.0", key=OTHER_KEY), root=root(OTHER_KEY))

    def test_a_root_that_did_not_verify_anything_is_not_pinned(self, shelf: Shelf) -> None:
        with pytest.raises(TrustError):
            shelf.store.install(shelf.bundle("1.0.0", key=OTHER_KEY), root=ROOT)

        assert shelf.store.trusted_root() is None
        assert not shelf.store.root.exists()

    def test_without_a_root_nothing_is_installed_unless_on_purpose(self, shelf: Shelf) -> None:
        path = shelf.bundle("1.0.0", key=None)

        with pytest.raises(TrustError, match="--trust"):
            shelf.store.install(path)
        assert shelf.store.install(path, allow_unsigned=True).state == "staged"

    def test_a_store_that_trusts_a_root_takes_no_unsigned_bundle(self, shelf: Shelf) -> None:
        shelf.install("1.0.0")

        with pytest.raises(TrustError):
            shelf.store.install(shelf.bundle("1.1.0", key=None), allow_unsigned=True)

    def test_a_root_that_was_pinned_meanwhile_counts(self, shelf: Shelf) -> None:
        shelf.store.install(shelf.bundle("1.0.0"), allow_unsigned=True)

        class Overtaken(Store):
            def _create(self) -> None:
                shelf.install("1.1.0")

        with pytest.raises(TrustError, match="Try again"):
            Overtaken(shelf.store.root).install(shelf.bundle("1.2.0", key=None), allow_unsigned=True)


class TestFolder:
    def test_no_store_says_how_to_get_one(self, shelf: Shelf) -> None:
        for ask in (shelf.store.state, shelf.store.rollback, shelf.store.recover):
            with pytest.raises(StoreError, match=r"no store here\. `edge-runtime install` makes one"):
                ask()

    def test_a_folder_with_other_things_in_it_is_not_made_a_store(self, shelf: Shelf) -> None:
        with pytest.raises(StoreError, match=r"found 'tiny-1\.0\.0\.edge' and no store's state"):
            Store(shelf.folder).install(shelf.bundle("1.0.0"), root=ROOT)

    def test_a_file_in_the_place_of_the_store_is_one_error(self, shelf: Shelf) -> None:
        shelf.store.root.write_text("")

        with pytest.raises(StorageError, match="Not a directory"):
            shelf.install("1.0.0")

    @pytest.mark.parametrize("damage", [b"", b"{", b'{"sha256":"","state":{}}', b"x" * 100])
    def test_a_damaged_state_is_never_reset(self, shelf: Shelf, damage: bytes) -> None:
        shelf.run("1.0.0")
        path = shelf.store.root / "state.json"
        path.write_bytes(damage)

        for act in (shelf.store.state, shelf.store.rollback, lambda: shelf.install("1.1.0")):
            with pytest.raises(
                StoreError, match=r"state.json.*Nothing was changed.*install the bundles anew"
            ):
                act()
        assert path.read_bytes() == damage
        assert shelf.files()

    def test_a_lost_state_beside_installed_slots_is_damage_too(self, shelf: Shelf) -> None:
        shelf.run("1.0.0")
        (shelf.store.root / "state.json").unlink()

        with pytest.raises(StoreError, match="no such file beside installed slots"):
            shelf.install("1.1.0")

    def test_a_flipped_bit_in_the_state_is_noticed(self, shelf: Shelf) -> None:
        shelf.run("1.0.0")
        path = shelf.store.root / "state.json"
        path.write_bytes(path.read_bytes().replace(b'"floor":1000000', b'"floor":1000001'))

        with pytest.raises(StoreError, match="another checksum"):
            shelf.store.state()

    def test_a_state_of_a_newer_format_asks_for_an_upgrade(self, shelf: Shelf) -> None:
        shelf.run("1.0.0")
        path = shelf.store.root / "state.json"
        newer = b'{"format":4}'
        path.write_bytes(
            b'{"sha256":"%s","state":%s}' % (hashlib.sha256(newer).hexdigest().encode(), newer)
        )

        with pytest.raises(StoreError, match=r"expected format 3, found 4.*upgrade"):
            shelf.store.state()

    def test_a_state_that_nobody_may_read_is_one_error(self, shelf: Shelf) -> None:
        shelf.run("1.0.0")
        path = shelf.store.root / "state.json"
        path.unlink()
        path.mkdir()

        with pytest.raises(StoreError, match="cannot be read: Is a directory"):
            shelf.store.state()


class TestSpace:
    def test_a_disk_without_room_is_noticed_before_the_first_byte(self, shelf: Shelf) -> None:
        shelf.run("1.0.0")
        before = shelf.store.state()

        with pytest.raises(
            StorageError, match=r"tiny 1\.1\.0 needs .* MiB of free space, found .*nothing was"
        ):
            Store(shelf.store.root, margin_bytes=1 << 60).install(shelf.bundle("1.1.0"))
        assert shelf.store.state() == before

    def test_a_disk_that_fills_half_way_is_cleaned_up(self, shelf: Shelf) -> None:
        shelf.run("1.0.0")
        before = shelf.store.state(), shelf.files()
        path = shelf.bundle("1.1.0", extra={"reference/large.bin": bytes(300_000)})

        # A limit on a file's size refuses a write in the middle, with a real error of the kernel.
        code = (
            "import pathlib, resource, sys; from edge_runtime.errors import *;"
            "from edge_runtime.store.disk import Store;"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000));"
            "Store(pathlib.Path(sys.argv[1])).install(sys.argv[2])"
        )
        ended = subprocess.run(
            [sys.executable, "-c", code, shelf.store.root, path],
            check=False,
            capture_output=True,
            text=True,
        )

        assert "StorageError" in ended.stderr.splitlines()[-1]
        assert "the disk is full (File too large)" in ended.stderr
        assert (shelf.store.state(), shelf.files()) == before
        assert shelf.store.install(path).state == "staged"


class TestLocks:
    def test_a_second_change_waits_and_then_names_the_holder(self, shelf: Shelf) -> None:
        shelf.run("1.0.0")
        busy = Store(shelf.store.root, lock_wait_s=0.05)

        with (
            shelf.store._installing(0),
            pytest.raises(StoreBusyError, match=f"process {os.getpid()} holds"),
        ):
            busy.install(shelf.bundle("1.1.0"))

    def test_a_change_goes_through_while_an_install_is_under_way(self, shelf: Shelf) -> None:
        shelf.run("1.0.0"), shelf.run("1.1.0")

        with shelf.store._installing(0):
            shelf.store.rollback()
            shelf.store.recover()
        assert shelf.model().pending == shelf.model().previous

    def test_a_lock_says_who_holds_it_and_the_last_word_of_whoever_does(self, shelf: Shelf) -> None:
        with shelf.store.agent_lock() as lock:
            for word in ("a long story about what runs", "short"):
                lock.say(word)
                here = os.getpid(), edge_runtime.__version__, edge_runtime.__file__, word
                assert shelf.store.agent() == here
                assert shelf.store.activator() == (*here[:3], "")
        assert shelf.store.agent() is None

    def test_an_agent_holds_its_lock_for_life_and_only_one_does(self, shelf: Shelf) -> None:
        assert not shelf.store.agent_running()
        with shelf.store.agent_lock():
            assert shelf.store.agent_running()
            with pytest.raises(StoreBusyError, match="another agent"), shelf.store.agent_lock(wait_s=0):
                pass
        assert not shelf.store.agent_running()

    def test_a_killed_agent_leaves_no_lock(self, shelf: Shelf) -> None:
        code = (
            "import pathlib, sys; from edge_runtime.store.disk import Store\n"
            "with Store(pathlib.Path(sys.argv[1])).agent_lock(): print(flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code, shelf.store.root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as agent:
            assert agent.stdout
            agent.stdout.readline()
            assert shelf.store.agent_running()
            with (
                pytest.raises(StoreBusyError, match=f"process {agent.pid}"),
                shelf.store.agent_lock(wait_s=0),
            ):
                pass
            agent.kill()
            agent.wait()
        assert not shelf.store.agent_running()

    def test_a_slot_that_is_being_written_is_not_swept_by_others(self, shelf: Shelf) -> None:
        one, _ = shelf.run("1.0.0"), shelf.run("1.1.0")
        with shelf.store._installing(0):
            new = shelf.store.root / "slots" / "tiny" / f"{one.digest}.new"
            new.mkdir()
            shelf.store.rollback()
            assert new.exists()

        shelf.store.recover()
        assert not new.exists()


def test_recovery_removes_what_nothing_refers_to(shelf: Shelf) -> None:
    shelf.run("1.0.0")
    before = shelf.files()
    for stray in ("tiny/0123.new/variants", "tiny/0123", "gone/4567"):
        (shelf.store.root / "slots" / stray).mkdir(parents=True)
    (shelf.store.root / "slots" / "tiny" / "0123" / "link").symlink_to(shelf.folder)

    shelf.store.recover()

    assert shelf.files() == before
    assert Path(shelf.folder).exists()
