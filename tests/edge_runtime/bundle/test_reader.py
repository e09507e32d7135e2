"""Opening a bundle: what is accepted, and one clear error of the right kind for everything else."""

import hashlib
import io
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.bundle import (
    Bundle,
    Root,
    decode_root,
    key_id,
    make_root,
    open_bundle,
    open_folder,
    read_index,
    seal,
    sign,
    write_archive,
)
from edge_runtime.bundle.manifest import decode
from edge_runtime.errors import ArchiveError, BundleError, ManifestError, TrustError, UnreadableError
from tests.support.few_descriptors import few_descriptors
from tests.support.tiny_bundle import KEY, MODEL_FILE, OTHER_KEY, root, root_bytes, tiny_bundle
from tests.support.unpacked import payloads, unpack

Opener = Callable[..., Bundle]
SIGNATURE = f"signatures/{key_id(KEY.public_key())}.sig"
SIGNED = tiny_bundle()
UNSIGNED = tiny_bundle(key=None)


@pytest.fixture(params=["archive", "folder"])
def open_files(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens given files by name as a bundle, in either of the two shapes one comes in."""

    def as_archive(files: dict[str, bytes], **settings: object) -> Bundle:
        (tmp_path / "x.edge").write_bytes(write_archive(files))
        return open_bundle(tmp_path / "x.edge", **settings)  # type: ignore[arg-type]

    def as_folder(files: dict[str, bytes], **settings: object) -> Bundle:
        return open_folder(unpack(files, tmp_path / "x"), **settings)  # type: ignore[arg-type]

    return as_archive if request.param == "archive" else as_folder


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.edge"
    path.write_bytes(SIGNED)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return unpack(payloads(SIGNED), tmp_path / "unpacked")


def test_a_signed_bundle_opens_and_every_file_can_be_read(open_files: Opener) -> None:
    files = payloads(SIGNED)
    with open_files(files, root=root()) as bundle:
        assert bundle.manifest == decode(files["manifest.json"])
        assert bundle.key_ids == bundle.signed_by() == (key_id(KEY.public_key()),)
        assert {name: bundle.read(name) for name in bundle.names} == files
        assert {name: bundle.size_of(name) for name in bundle.names} == {n: len(files[n]) for n in files}


def test_a_bundle_s_identity_is_the_digest_of_its_manifest(open_files: Opener) -> None:
    files = payloads(SIGNED)
    with open_files(files, root=root()) as bundle:
        assert bundle.digest == hashlib.sha256(files["manifest.json"]).hexdigest()


def test_who_signs_does_not_change_a_bundle_s_identity(open_files: Opener) -> None:
    with (
        open_files(payloads(tiny_bundle(key=OTHER_KEY)), root=root(OTHER_KEY)) as one,
        open_bundle_bytes(SIGNED) as other,
    ):
        assert one.digest == other.digest
        assert one.key_ids != other.key_ids


def test_an_unpacked_bundle_has_paths_and_an_archive_has_none(archive: Path, folder: Path) -> None:
    with open_bundle(archive, root=root()) as packed, open_folder(folder, root=root()) as unpacked:
        assert packed.path(MODEL_FILE) is None
        assert packed.size_bytes == archive.stat().st_size
        assert unpacked.path(MODEL_FILE) == folder / MODEL_FILE
        assert unpacked.size_bytes == sum(map(len, payloads(SIGNED).values()))


def test_large_files_come_in_chunks(open_files: Opener) -> None:
    large = os.urandom(1 << 20) * 2 + b"rest"
    with open_files(payloads(tiny_bundle(extra={"large": large})), root=root()) as bundle:
        assert [len(chunk) for chunk in bundle.chunks("large")] == [1 << 20, 1 << 20, 4]
        assert bundle.read("large") == large


def test_without_a_root_file_a_bundle_is_refused_with_the_way_out(open_files: Opener) -> None:
    with pytest.raises(TrustError, match=r"--trust root\.json.*--allow-unsigned"):
        open_files(payloads(SIGNED), root=None)


def test_unsigned_bundles_open_only_on_purpose(open_files: Opener) -> None:
    with pytest.raises(TrustError, match=r"expected a signature by .* found none"):
        open_files(payloads(UNSIGNED), root=root())

    for whom in (None, root()):
        with open_files(payloads(UNSIGNED), root=whom, allow_unsigned=True) as bundle:
            assert bundle.key_ids == bundle.signed_by() == ()


def test_a_signed_bundle_opens_unverified_on_purpose_and_says_so(open_files: Opener) -> None:
    with open_files(payloads(SIGNED), root=None, allow_unsigned=True) as bundle:
        assert bundle.key_ids == ()
        assert bundle.signed_by() == (key_id(KEY.public_key()),)


def test_allowing_unsigned_bundles_does_not_allow_wrongly_signed_ones(open_files: Opener) -> None:
    with pytest.raises(TrustError, match="found 0 by them and 1 by others"):
        open_files(payloads(SIGNED), root=root(OTHER_KEY), allow_unsigned=True)


def test_a_bundle_signed_by_a_stranger_is_refused(open_files: Opener) -> None:
    with pytest.raises(TrustError, match="found 0 by them and 1 by others"):
        open_files(payloads(tiny_bundle(key=OTHER_KEY)), root=root())


def test_a_signature_moved_from_another_bundle_is_refused(open_files: Opener) -> None:
    other = payloads(tiny_bundle(version="2.0.0"))
    files = payloads(SIGNED) | {SIGNATURE: other[SIGNATURE]}

    with pytest.raises(BundleError, match=r"manifest\.json: expected SHA-256"):
        open_files(files, root=root())


def test_the_threshold_of_the_root_file_counts_keys() -> None:
    both = decode_root(make_root([KEY.public_key(), OTHER_KEY.public_key()], KEY, bundle_threshold=2))
    manifest, artifacts = _parts(UNSIGNED)

    with open_bundle_bytes(seal(manifest, artifacts, [KEY, OTHER_KEY]), both) as bundle:
        assert len(bundle.key_ids) == 2
    with pytest.raises(TrustError, match="at least 2"):
        open_bundle_bytes(SIGNED, both)


def test_an_altered_manifest_is_refused(open_files: Opener) -> None:
    files = payloads(SIGNED)
    files["manifest.json"] = files["manifest.json"].replace(b'"release":1000000', b'"release":9000000')

    with pytest.raises(BundleError, match=r"manifest\.json: expected SHA-256 .* was altered"):
        open_files(files, root=root())


def test_an_altered_payload_is_refused_when_it_is_read(open_files: Opener) -> None:
    files = payloads(SIGNED)
    files[MODEL_FILE] = files[MODEL_FILE][:-1] + b"\0"

    with (
        open_files(files, root=root()) as bundle,
        pytest.raises(BundleError, match=rf"x.*: {MODEL_FILE}: expected SHA-256"),
    ):
        bundle.read(MODEL_FILE)


def test_a_payload_of_another_size_is_refused_at_once(open_files: Opener) -> None:
    files = payloads(SIGNED)
    files[MODEL_FILE] += b"\0"

    with pytest.raises(BundleError, match=rf"'{MODEL_FILE}': expected \d+ bytes, found \d+"):
        open_files(files, root=root())


@pytest.mark.parametrize("name", ["extra", "signatures/readme", "signatures/" + "g" * 64 + ".sig"])
def test_a_file_the_manifest_does_not_list_is_refused(open_files: Opener, name: str) -> None:
    with pytest.raises(BundleError, match=f"found '{name}' as well"):
        open_files(payloads(SIGNED) | {name: b""}, root=root())


@pytest.mark.parametrize("name", ["manifest.json", MODEL_FILE, "card.md"])
def test_a_missing_file_is_refused(open_files: Opener, name: str) -> None:
    files = payloads(SIGNED)
    del files[name]

    with pytest.raises(BundleError, match=name):
        open_files(files, root=root())


def test_more_signatures_than_anybody_needs_are_refused(open_files: Opener) -> None:
    many = {f"signatures/{number:064x}.sig": b"" for number in range(17)}

    with pytest.raises(BundleError, match="at most 16 signatures, found 17"):
        open_files(payloads(UNSIGNED) | many, root=root())


def test_a_manifest_and_signatures_beyond_measure_are_refused_unread(open_files: Opener) -> None:
    with pytest.raises(BundleError, match="at most 4194304 bytes"):
        open_files(payloads(UNSIGNED) | {"manifest.json": bytes((4 << 20) + 1)}, root=root())
    with pytest.raises(BundleError, match="at most 1048576 bytes"):
        open_files(payloads(SIGNED) | {SIGNATURE: bytes((1 << 20) + 1)}, root=root())


def test_a_signed_list_that_is_not_the_manifest_s_is_refused(open_files: Opener) -> None:
    files = payloads(SIGNED)
    only = {"manifest.json": hashlib.sha256(files["manifest.json"]).hexdigest()}
    with pytest.raises(BundleError, match="list the files that were signed, found others"):
        open_files(files | {SIGNATURE: sign(only, name="tiny", key=KEY)}, root=root())


def test_a_manifest_that_is_wrong_is_a_manifest_error(open_files: Opener) -> None:
    with pytest.raises(ManifestError, match="expected format 1, found None"):
        open_files({"manifest.json": b"{}"}, root=None, allow_unsigned=True)


def test_asking_for_a_file_that_is_not_there_is_an_error(open_files: Opener) -> None:
    with (
        open_files(payloads(SIGNED), root=root()) as bundle,
        pytest.raises(BundleError, match=r"expected a file '\.\./etc/passwd' in the bundle"),
    ):
        bundle.read("../etc/passwd")


def test_a_closed_bundle_says_so(open_files: Opener) -> None:
    bundle = open_files(payloads(SIGNED), root=root())
    bundle.close()
    bundle.close()

    with pytest.raises(BundleError, match="closed before it was read"):
        bundle.read("card.md")


def test_threads_may_read_at_the_same_time(open_files: Opener) -> None:
    files = payloads(tiny_bundle(extra={f"file-{n}": os.urandom(50_000) for n in range(8)}))
    with open_files(files, root=root()) as bundle:
        found: dict[str, bytes] = {}
        threads = [
            threading.Thread(target=lambda n=name: found.update({n: bundle.read(n)}))
            for name in bundle.names
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == files


def _nothing(path: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (_nothing, "No such file or directory. Check the path."),
        (Path.mkdir, "it is a folder"),
        (os.mkfifo, "not a regular file"),
        (Path.touch, "found 0"),
        (lambda path: path.write_bytes(os.urandom(10_000)), "ends with the end of a ZIP"),
        (lambda path: path.write_bytes(SIGNED[:-1]), "ends with the end of a ZIP"),
        (lambda path: path.write_bytes(SIGNED[:9_000]), "ends with the end of a ZIP"),
        (lambda path: path.write_bytes(SIGNED + b"\0"), "ends with the end of a ZIP"),
        (lambda path: path.symlink_to(path), "symbolic links"),
    ],
    ids=["missing", "folder", "pipe", "empty", "random", "one short", "truncated", "longer", "loop"],
)
def test_what_is_no_bundle_is_one_clear_error(
    make: Callable[[Path], object], complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "motion.edge"
    make(path)

    with pytest.raises(BundleError, match=rf"motion\.edge: .*{complaint}"):
        open_bundle(path, root=root())


def test_what_was_checked_is_what_is_read_though_the_path_now_leads_elsewhere(archive: Path) -> None:
    with open_bundle(archive, root=root()) as bundle:
        other = archive.with_name("other")
        other.write_bytes(tiny_bundle(key=OTHER_KEY, seed=1))
        other.rename(archive)

        assert bundle.read(MODEL_FILE) == payloads(SIGNED)[MODEL_FILE]


def test_a_file_that_shrinks_while_it_is_open_is_refused(archive: Path) -> None:
    with open_bundle(archive, root=root()) as bundle:
        os.truncate(archive, 100)

        with pytest.raises(BundleError, match="became shorter"):
            bundle.read(MODEL_FILE)


def test_a_crc_that_is_wrong_is_refused_though_no_digest_depends_on_it(tmp_path: Path) -> None:
    entry = _entry(SIGNED, "card.md")
    wrong = SIGNED.replace(entry.crc32.to_bytes(4, "little"), bytes(4))
    path = tmp_path / "wrong.edge"
    path.write_bytes(wrong)

    with (
        open_bundle(path, root=root()) as bundle,
        pytest.raises(BundleError, match=r"card\.md: .*CRC-32"),
    ):
        bundle.read("card.md")


@given(st.data())
def test_a_changed_byte_anywhere_is_an_error_by_the_time_everything_is_read(data: st.DataObject) -> None:
    raw = bytearray(SIGNED)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))

    with pytest.raises((BundleError, TrustError)):
        read_everything(bytes(raw))


def test_a_folder_with_a_link_in_it_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes((folder / "card.md").read_bytes())
    (folder / "card.md").unlink()
    (folder / "card.md").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ArchiveError, match=r"'card\.md': .* a link or special file"):
        open_folder(folder, root=root())


def test_a_folder_inside_that_is_a_link_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "golden").rename(tmp_path / "golden")
    (folder / "golden").symlink_to(tmp_path / "golden")

    with pytest.raises(ArchiveError, match=r"'golden': .* a link or special file"):
        open_folder(folder, root=root())


def test_a_file_with_a_second_name_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "second").hardlink_to(folder / "card.md")

    with pytest.raises(ArchiveError, match=r"'card\.md': .* with 2 names \(hard links\)"):
        open_folder(folder, root=root())


def test_a_second_name_or_a_link_made_later_is_refused_when_the_file_is_read(
    folder: Path, tmp_path: Path
) -> None:
    with open_folder(folder, root=root()) as bundle:
        (tmp_path / "second").hardlink_to(folder / "card.md")
        with pytest.raises(BundleError, match="expected one name"):
            bundle.read("card.md")

        (folder / "card.md").unlink()
        (folder / "card.md").symlink_to(tmp_path / "second")
        with pytest.raises(BundleError, match="symbolic links"):
            bundle.read("card.md")


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir], ids=["pipe", "empty folder"])
def test_a_folder_with_anything_odd_in_it_is_refused(make: Callable[[Path], None], folder: Path) -> None:
    make(folder / "odd")

    with pytest.raises(ArchiveError, match=r"'odd/?': expected the regular files of one bundle"):
        open_folder(folder, root=root())


def test_a_folder_with_names_no_archive_could_hold_is_refused(folder: Path) -> None:
    (folder / "README.txt").touch()

    with pytest.raises(ArchiveError, match="README"):
        open_folder(folder, root=root())


def test_a_folder_that_never_ends_is_refused_soon(folder: Path) -> None:
    for number in range(300):
        (folder / f"f{number}").touch()
    with pytest.raises(ArchiveError, match="more than 256 files"):
        open_folder(folder, root=root())

    deep = folder.parent / "deep" / "/".join("abcdefgh")
    deep.mkdir(parents=True)
    with pytest.raises(ArchiveError, match="more than 5 deep"):
        open_folder(folder.parent / "deep", root=root())


def test_a_missing_folder_and_a_file_in_its_place_are_one_clear_error(archive: Path) -> None:
    with pytest.raises(BundleError, match="No such file"):
        open_folder(archive.with_name("nowhere"), root=root())
    with pytest.raises(BundleError, match="Not a directory"):
        open_folder(archive, root=root())


def test_nothing_stays_open_after_a_refusal(archive: Path, folder: Path) -> None:
    def opened() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = opened()
    for _ in range(5):
        with pytest.raises(TrustError):
            open_bundle(archive, root=root(OTHER_KEY))
        with pytest.raises(TrustError):
            open_folder(folder, root=root(OTHER_KEY))
        with pytest.raises(BundleError):
            open_bundle(folder, root=root())
    with open_folder(folder, root=root()) as bundle:
        bundle.read(MODEL_FILE)
    assert opened() == before


def test_one_that_is_dropped_is_closed_with_a_warning_that_names_it(open_files: Opener) -> None:
    before = os.listdir("/proc/self/fd")
    bundle = open_files(payloads(SIGNED), root=root())
    location = bundle.location

    with pytest.warns(ResourceWarning, match=f"unclosed bundle '{location}'"):
        del bundle

    assert os.listdir("/proc/self/fd") == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_of_a_file_that_may_not_be_read_it_is_told_whose_it_is() -> None:
    with tempfile.TemporaryDirectory() as made:  # pytest's folders are closed to others
        os.chmod(made, 0o755)
        folder = unpack(payloads(SIGNED), Path(made) / "unpacked")
        (folder / MODEL_FILE).chmod(0o600)
        os.chown(folder / MODEL_FILE, 12_345, 12_345)
        with open_folder(folder, root=root()) as bundle:
            os.seteuid(65_534)
            try:
                with pytest.raises(UnreadableError, match="It belongs to user 12345, and this runs as"):
                    bundle.read(MODEL_FILE)
            finally:
                os.seteuid(0)


@pytest.mark.parametrize("left", [0, 1, 2])  # none for the folder; for listing it; for a folder in it
def test_where_too_many_files_are_open_the_bundle_is_not_blamed(folder: Path, left: int) -> None:
    with few_descriptors(left), pytest.raises(UnreadableError) as caught:
        open_folder(folder, root=root())

    assert str(caught.value) == (
        f"{folder}: the bundle cannot be read: Too many open files. This process has as many files open "
        "as it may (`ulimit -n` tells how many): close what is no longer used, such as models, or raise "
        "the limit."
    )


def open_bundle_bytes(raw: bytes, whom: Root | None = None) -> Bundle:
    """A bundle from memory, through the same functions as one on a disk."""
    descriptor = os.memfd_create("bundle")
    try:
        os.write(descriptor, raw)
        return open_bundle(f"/proc/self/fd/{descriptor}", root=whom or decode_root(root_bytes()))
    finally:
        os.close(descriptor)


def read_everything(raw: bytes) -> None:
    with open_bundle_bytes(raw) as bundle:
        for name in bundle.names:
            bundle.read(name)


def _parts(raw: bytes):
    files = payloads(raw)
    manifest = decode(files.pop("manifest.json"))
    return manifest, {name: data for name, data in files.items() if not name.startswith("signatures/")}


def _entry(raw: bytes, name: str):
    return read_index(io.BytesIO(raw))[name]
