"""Commands on a store whose disk fails, is full, is read-only or is somebody else's.

The commands are real processes, and the errors are the kernel's. Whatever happens: one sentence, the
documented exit code, and what ran before runs on.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edge_runtime import cli
from edge_runtime.errors import StorageError, StoreError, TrustError
from edge_runtime.store import reserve
from tests.edge_runtime.store.rig import Shelf, damage
from tests.edge_runtime.store.test_trust import SECOND
from tests.support import small_disk
from tests.support.agent import COMMAND
from tests.support.faulty_disk import faults
from tests.support.full_disk import files_of_at_most

pytestmark = pytest.mark.end_to_end


def start(shelf: Shelf, *arguments: object, prefix: Sequence[str] = ()) -> subprocess.Popen[str]:
    words = [*prefix, str(COMMAND), *map(str, arguments), "--store", str(shelf.store.root)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit status, and the last line of its standard error, which says what is wrong."""
    _, said = process.communicate(timeout=120)
    assert "Traceback" not in said
    return process.returncode, said.splitlines()[-1] if said else ""


def running(shelf: Shelf) -> str:
    now = shelf.model()
    return now.slots[now.active or ""].version


@pytest.mark.parametrize(
    ("call", "when"),
    [
        ("fsync", "1+"),
        ("fsync", "8+"),
        ("fsync", "12"),
        ("rename", "1"),
        ("rename", "2"),
        ("rename", "4"),
    ],
)
def test_a_card_that_fails_during_an_install_leaves_what_ran_and_the_same_install_goes_through(
    shelf: Shelf, call: str, when: str
) -> None:
    shelf.run("1.0.0")
    new = shelf.bundle("1.1.0", seed=1)

    code, said = ended(start(shelf, "install", new, prefix=faults(call, "EIO", when=when)))

    assert (code, running(shelf)) == (StorageError.exit_code, "1.0.0")
    assert "cannot be written: Input/output error." in said
    shelf.store.recover()
    assert damage(shelf.store) == ""
    assert ended(start(shelf, "install", new))[0] == 0
    assert running(shelf) == "1.1.0"


CHANGES = (
    ("rollback",),
    ("activate", "tiny", "1.0.0"),
    ("confirm",),
    ("prune", "--keep", "1"),
    ("trust", "update", "2.root.json"),
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change[0])
def test_on_a_full_disk_a_change_is_refused_and_changes_nothing(
    shelf: Shelf,
    change: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = prepared(shelf)
    monkeypatch.chdir(shelf.folder)

    with files_of_at_most(10):
        code = cli.run([*change, "--store", str(shelf.store.root)])

    assert code == StorageError.exit_code
    assert "the disk is full" in capsys.readouterr().err
    assert kept(shelf) == before
    assert cli.run([*change, "--store", str(shelf.store.root)]) == 0


def test_a_prune_gives_its_reserve_for_the_state_that_the_disk_does_not_take(shelf: Shelf) -> None:
    before = prepared(shelf)
    full = faults("write", "ENOSPC", when="1", paths=[shelf.store.root / "state.json.tmp"])

    code, said = ended(start(shelf, "prune", "--keep", "1", prefix=full))

    assert (code, said) == (0, "")
    assert len(shelf.files()) == len(before[2]) - 1
    assert damage(shelf.store) == ""

    held = shelf.store.root / reserve.NAME
    assert held.stat().st_size == reserve.BYTES  # taken again
    held.write_bytes(b"")  # whoever made it was killed half way
    with shelf.store.agent_lock():
        assert held.stat().st_size == reserve.BYTES
    held.unlink()
    held.mkdir()  # nothing to give
    before = kept(shelf)
    code, said = ended(start(shelf, "prune", "--keep", "2", prefix=full))
    assert (code, kept(shelf)) == (StorageError.exit_code, before)
    assert "the disk is full" in said


@pytest.mark.skipif(bool(small_disk.why_not()), reason=small_disk.why_not())
class TestPruneOnAFullDisk:
    """A real ext4 without a free block: files go only after a state that says so was written."""

    @pytest.fixture
    def disk(self, tmp_path: Path) -> Iterator[Path]:
        with small_disk.ext4(tmp_path, megabytes=24) as disk:
            yield disk

    def test_it_removes_versions_and_keeps_what_runs(self, tmp_path: Path, disk: Path) -> None:
        shelf = Shelf(tmp_path, store_name="disk/store")
        shelf.run("1.0.0", extra={"extra/large": os.urandom(6 << 20)}), shelf.run("1.1.0", seed=1)
        small_disk.fill(disk)

        assert ended(start(shelf, "rollback"))[0] == StorageError.exit_code  # the disk is really full
        assert ended(start(shelf, "prune", "--keep", "1")) == (0, "")

        assert (len(shelf.files()), running(shelf)) == (1, "1.1.0")
        assert damage(shelf.store) == ""
        assert (shelf.store.root / reserve.NAME).stat().st_blocks * 512 >= reserve.BYTES
        shelf.run("1.2.0", seed=2)

    def test_it_removes_what_a_killed_install_left(self, tmp_path: Path, disk: Path) -> None:
        shelf = Shelf(tmp_path, store_name="disk/store")
        shelf.run("1.0.0")
        left = shelf.store.root / "slots" / "tiny" / f"{'f' * 64}.new"
        left.mkdir()
        (left / "large").write_bytes(os.urandom(2 << 20))
        (shelf.store.root / reserve.NAME).unlink()
        small_disk.fill(disk)

        assert ended(start(shelf, "prune"))[0] == 0

        assert not left.exists()
        assert running(shelf) == "1.0.0"

    def test_where_there_is_nothing_to_remove_it_says_that_the_disk_is_full(
        self, tmp_path: Path, disk: Path
    ) -> None:
        shelf = Shelf(tmp_path, store_name="disk/store")
        shelf.run("1.0.0"), shelf.run("1.1.0", seed=1)
        (shelf.store.root / reserve.NAME).unlink()  # a store of before
        small_disk.fill(disk)
        before = kept(shelf)

        code, said = ended(start(shelf, "prune", "--keep", "1"))

        assert (code, kept(shelf)) == (StorageError.exit_code, before)
        assert "the disk is full" in said


@pytest.mark.parametrize(
    ("change", "cause", "words"),
    [(change, "EROFS", "Read-only file system") for change in (*CHANGES, ("install", "tiny-1.3.0.edge"))]
    + [(("rollback",), "EACCES", "Permission denied")],
    ids=lambda value: value[0] if isinstance(value, tuple) else value,
)
def test_a_store_that_may_not_be_written_is_told_and_nothing_changes(
    shelf: Shelf, change: tuple[str, ...], cause: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prepared(shelf)
    shelf.bundle("1.3.0", seed=3)
    monkeypatch.chdir(shelf.folder)
    locks = [shelf.store.root / name for name in ("lock", "install.lock")]

    code, said = ended(start(shelf, *change, prefix=faults("openat", cause, paths=locks)))

    assert code == StorageError.exit_code
    assert words in said
    assert kept(shelf) == before


def test_a_bad_sector_under_the_state_or_the_root_file_is_told_and_nothing_is_reset(
    shelf: Shelf,
) -> None:
    before = prepared(shelf)
    for name, expected in (
        ("state.json", (StoreError.exit_code, "the store's state cannot be read: Input/output error.")),
        ("trust/root.json", (TrustError.exit_code, "the root file cannot be read: Input/output error.")),
    ):
        bad = faults("read,pread64", "EIO", paths=[shelf.store.root / name])
        code, said = ended(start(shelf, "status", prefix=bad))
        assert code == expected[0]
        assert expected[1] in said
    assert kept(shelf) == before


def test_of_two_installs_at_once_one_runs_and_the_other_is_told_so(shelf: Shelf) -> None:
    shelf.run("1.0.0")
    bundles = [shelf.bundle(version, seed=seed) for seed, version in enumerate(("1.1.0", "1.2.0"), 1)]

    done = [ended(process) for process in [start(shelf, "install", bundle) for bundle in bundles]]

    codes = [code for code, _ in done]
    assert 0 in codes
    assert set(codes) <= {0, StoreError.exit_code}
    assert running(shelf) in [
        version for version, code in zip(("1.1.0", "1.2.0"), codes, strict=True) if code == 0
    ]
    assert damage(shelf.store) == ""


def prepared(shelf: Shelf) -> tuple[bytes, bytes, set[str]]:
    """A store with a way back, a version on trial that may be confirmed, and a next root beside it."""
    shelf.run("1.0.0"), shelf.run("1.1.0", seed=1)
    new = shelf.install("1.2.0", seed=2)
    shelf.store.tried("tiny", new.digest)
    shelf.store.proved("tiny", new.digest)
    (shelf.folder / "2.root.json").write_bytes(SECOND)
    return kept(shelf)


def kept(shelf: Shelf) -> tuple[bytes, bytes, set[str]]:
    """The store's state, its root file and its slots."""
    root = shelf.store.root
    return (root / "state.json").read_bytes(), (root / "trust" / "root.json").read_bytes(), shelf.files()
