"""A file of a bundle that stays open: its path leads to what was checked, until somebody writes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.bundle import Bundle, open_bundle, open_folder
from edge_runtime.errors import BundleError
from tests.support.tiny_bundle import MODEL_FILE, root, tiny_bundle
from tests.support.unpacked import payloads, unpack

SIGNED = tiny_bundle()
MODEL = payloads(SIGNED)[MODEL_FILE]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return unpack(payloads(SIGNED), tmp_path / "unpacked")


@pytest.fixture
def unpacked(folder: Path) -> Iterator[Bundle]:
    with open_folder(folder, root=root()) as bundle:
        yield bundle


def test_of_an_unpacked_bundle_it_is_read_and_found_under_a_path(unpacked: Bundle) -> None:
    with unpacked.held(MODEL_FILE) as held:
        assert held.read() == MODEL
        assert Path(held.path).read_bytes() == MODEL
        held.demand_unwritten()


def test_of_an_archive_it_is_read_and_has_no_path(tmp_path: Path) -> None:
    (tmp_path / "tiny.edge").write_bytes(SIGNED)
    with open_bundle(tmp_path / "tiny.edge", root=root()) as bundle, bundle.held(MODEL_FILE) as held:
        assert held.read() == MODEL
        assert held.path == ""
        held.demand_unwritten()


def test_the_path_leads_to_it_though_its_name_now_leads_elsewhere(
    unpacked: Bundle, folder: Path
) -> None:
    with unpacked.held(MODEL_FILE) as held:
        (folder / "other").write_bytes(b"another model")
        (folder / "other").rename(folder / MODEL_FILE)

        assert held.read() == MODEL
        assert Path(held.path).read_bytes() == MODEL


def test_one_that_was_altered_is_refused(unpacked: Bundle, folder: Path) -> None:
    with (folder / MODEL_FILE).open("r+b") as file:
        file.write(b"\0")

    with unpacked.held(MODEL_FILE) as held, pytest.raises(BundleError, match="expected SHA-256"):
        held.read()


@pytest.mark.parametrize("is_put_back", [False, True])
def test_one_that_is_written_to_after_it_was_read_is_refused(
    unpacked: Bundle, folder: Path, is_put_back: bool
) -> None:
    before = os.stat(folder / MODEL_FILE)
    with unpacked.held(MODEL_FILE) as held:
        held.read()
        with (folder / MODEL_FILE).open("r+b") as file:
            file.write(MODEL[:1] if is_put_back else b"\0")
        os.utime(folder / MODEL_FILE, ns=(before.st_atime_ns, before.st_mtime_ns))

        with pytest.raises(BundleError, match=rf"unpacked: {MODEL_FILE}: .* was written to while"):
            held.demand_unwritten()


def test_one_that_is_not_there_or_has_a_second_name_is_refused(unpacked: Bundle, folder: Path) -> None:
    with pytest.raises(BundleError, match="expected a file 'nowhere'"), unpacked.held("nowhere"):
        pass
    os.link(folder / MODEL_FILE, folder.with_name("second"))
    with pytest.raises(BundleError, match="expected one name and"), unpacked.held(MODEL_FILE):
        pass


def test_nothing_stays_open(unpacked: Bundle) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with unpacked.held(MODEL_FILE) as held:
        held.read()
    with pytest.raises(ZeroDivisionError), unpacked.held(MODEL_FILE):
        1 / 0  # noqa: B018
    assert len(os.listdir("/proc/self/fd")) == before
