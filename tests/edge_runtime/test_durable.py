"""Durable writes: all or nothing, and one clear error when the disk refuses."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime import durable
from edge_runtime.errors import BundleError, StorageError
from tests.support.full_disk import files_of_at_most


def test_a_file_is_created_from_chunks(tmp_path: Path) -> None:
    durable.create_file(tmp_path / "a", [b"one", memoryview(b"two")], mode=0o600)

    assert (tmp_path / "a").read_bytes() == b"onetwo"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_creating_never_touches_a_file_that_exists(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")

    with pytest.raises(StorageError, match=r"a: cannot be written: File exists\."):
        durable.create_file(tmp_path / "a", [b"new"])
    assert (tmp_path / "a").read_bytes() == b"old"


def test_an_error_of_whoever_makes_the_chunks_stays_itself(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"one"
        raise BundleError("altered")

    with pytest.raises(BundleError, match="altered"):
        durable.create_file(tmp_path / "a", chunks())


def test_replacing_puts_the_new_content_in_place_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    for content in (b"old", b"new"):
        durable.replace_file(tmp_path / "a", content)

    assert (tmp_path / "a").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


def test_a_temporary_file_of_a_killed_process_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "a.tmp").write_bytes(b"half")

    durable.replace_file(tmp_path / "a", b"new")

    assert os.listdir(tmp_path) == ["a"]


def test_a_full_disk_leaves_the_old_file_and_one_clear_error(tmp_path: Path) -> None:
    durable.replace_file(tmp_path / "a", b"old")

    with files_of_at_most(1000), pytest.raises(StorageError, match=r"disk is full .* is untouched\."):
        durable.replace_file(tmp_path / "a", bytes(2000))
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_missing_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot be written: No such file.*Check the path\."):
        durable.replace_file(tmp_path / "gone" / "a", b"new")
    with pytest.raises(StorageError, match="No such file"):
        durable.sync_folder(tmp_path / "gone")


def test_folders_are_made_with_their_parents_and_making_them_again_is_fine(tmp_path: Path) -> None:
    for _ in range(2):
        durable.create_folder(tmp_path / "a" / "b" / "c")

    assert (tmp_path / "a" / "b" / "c").is_dir()


def test_a_folder_takes_its_final_name_only_where_nothing_is(tmp_path: Path) -> None:
    durable.create_folder(tmp_path / "a.new" / "inner")
    durable.create_folder(tmp_path / "b.new" / "inner")
    durable.rename_folder(tmp_path / "a.new", tmp_path / "a")

    with pytest.raises(StorageError, match="a: cannot be written: Directory not empty"):
        durable.rename_folder(tmp_path / "b.new", tmp_path / "a")


def test_removing_a_folder_does_not_follow_links_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("")
    (tmp_path / "a" / "inner").mkdir(parents=True)
    (tmp_path / "a" / "inner" / "file").write_text("")
    (tmp_path / "a" / "inner" / "link").symlink_to(tmp_path / "kept")

    for _ in range(2):  # the second time there is nothing left to do
        durable.remove_folder(tmp_path / "a")

    assert os.listdir(tmp_path) == ["kept"]
    assert (tmp_path / "kept" / "file").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_who_may_not_is_told_whose_it_is_though_it_cannot_be_looked_at(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    refused = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    os.chmod(tmp_path, 0o755)
    os.seteuid(65_534)
    try:
        told = durable.advice(closed / "store" / "state.json", refused)
    finally:
        os.seteuid(0)
    assert told == (
        "It belongs to user root, and this runs as user nobody: run it with `sudo` before it, or give "
        "user nobody the right (chgrp, chmod)."
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_where_a_namespace_hides_users_nobody_is_named_to_run_it_as(tmp_path: Path) -> None:
    """As in a service with PrivateUsers=yes: whoever has no number there is shown as user nobody."""
    os.chown(tmp_path, 12_345, 12_345)
    script = (
        "import errno, sys; from edge_runtime import durable; "
        "print(durable.advice(sys.argv[1], PermissionError(errno.EACCES, '')))"
    )
    line = [sys.executable, "-c", script, tmp_path]
    here = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    line = ["unshare", "--user", "--map-root-user", *line]
    there = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert "It belongs to user 12345, and this runs as user root: run it with `sudo -u '#12345'`" in here
    assert there == (
        "Users are hidden from this process by its user namespace (a container, or PrivateUsers= of "
        f"systemd). Look outside of it who may: ls -ld {tmp_path}.\n"
    )


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "Permission denied. Look who may: ls -ld "),
        (errno.EROFS, "Read-only file system. The kernel mounts a file system so when its disk fails: "),
        (errno.EIO, "Input/output error. The disk is failing: `dmesg` tells. Replace it."),
        (errno.EISDIR, "Is a directory. It is a folder and should be a file: name the file, "),
        (errno.ENOTDIR, "Not a directory. A file is where a folder should be: name another "),
        (errno.EMFILE, "Too many open files."),
    ],
)
def test_what_cannot_be_written_is_told_with_what_to_do(
    tmp_path: Path, number: int, advice: str
) -> None:
    with pytest.raises(StorageError) as caught, durable.translated(tmp_path):
        raise OSError(number, os.strerror(number))
    assert f"{tmp_path}: cannot be written: {advice}" in str(caught.value)
    assert str(caught.value).endswith((".", "tells."))
