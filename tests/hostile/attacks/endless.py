"""Data without an end or without a next byte: nothing is waited for, nothing is read without a bound."""

import os
from functools import partial
from pathlib import Path

from edge_runtime.bundle import load_root
from edge_runtime.bundle.trust import MAX_ROOT_BYTES
from edge_runtime.errors import ArchiveError, BundleError, TrustError
from tests.hostile.building import GOOD, archive, opening, opening_folder, signature_name, signed
from tests.hostile.case import Attempt, Case
from tests.support.tiny_bundle import KEY
from tests.support.unpacked import unpack

GROUP = "endless or slow data"
REGULAR = ("bundle.files.open_regular: it is not a regular file",)


def _piped(folder: Path) -> Attempt:
    """A named pipe whose writer never comes."""
    attempt = opening(archive(signed(GOOD)), folder)
    (folder / "hostile.edge").unlink()
    os.mkfifo(folder / "hostile.edge")
    return attempt


def _device(folder: Path) -> Attempt:
    attempt = opening(archive(signed(GOOD)), folder)
    (folder / "hostile.edge").unlink()
    (folder / "hostile.edge").symlink_to("/dev/zero")
    return attempt


def _piped_root(folder: Path) -> Attempt:
    os.mkfifo(folder / "root.json")
    return lambda: load_root(folder / "root.json")


def _long_root(folder: Path) -> Attempt:
    with (folder / "root.json").open("wb") as file:
        file.truncate(MAX_ROOT_BYTES + 1)
    return lambda: load_root(folder / "root.json")


def _long_signature(folder: Path) -> Attempt:
    """An envelope of 2 MiB: properly formed, with spaces behind."""
    files = signed(GOOD)
    files[signature_name(KEY)] += b" " * (2 << 20)
    return opening(archive(files), folder)


def _sparse_file(folder: Path) -> Attempt:
    """A file of 100 GiB that takes no room on the disk."""
    inside = unpack(signed(GOOD), folder / "bundle")
    os.truncate(inside / "card.md", 100 << 30)
    return opening_folder(inside)


def _many_signatures(folder: Path) -> Attempt:
    files = signed(GOOD)
    envelope = files[signature_name(KEY)]
    files |= {f"signatures/{number:064x}.sig": envelope for number in range(16)}
    return opening(archive(files), folder)


_case = partial(Case, GROUP, error=BundleError)
CASES = (
    _case("a named pipe", _piped, REGULAR, "the bundle cannot be read: it is not a regular file"),
    _case("an endless device", _device, REGULAR, "the bundle cannot be read: it is not a regular file"),
    _case(
        "a root file without an end",
        lambda _: lambda: load_root("/dev/zero"),
        REGULAR,
        "/dev/zero: the root file cannot be read: it is not a regular file",
        error=TrustError,
    ),
    _case(
        "a root file nobody writes",
        _piped_root,
        REGULAR,
        "the root file cannot be read: it is not a regular file",
        error=TrustError,
    ),
    _case(
        "a root file of more than 64 KiB",
        _long_root,
        ("bundle.files.read_small: expected at most", "bundle.strict_json.decode_any: expected at most"),
        "expected at most 65536 bytes, found 65537",
        error=TrustError,
    ),
    _case(
        "a signature of 2 MiB",
        _long_signature,
        (
            "bundle.reader._read_small: expected at most",
            "bundle.strict_json.decode_any: expected at most",
        ),
        r"signatures/.*\.sig: expected at most 1048576 bytes, found 20",
    ),
    _case(
        "a file of 100 GiB without content",
        _sparse_file,
        ("bundle.sources._list: more than",),
        "found more than 256 files or 2147483647 bytes",
        error=ArchiveError,
    ),
    _case(
        "17 signatures to verify",
        _many_signatures,
        ("bundle.reader._read_signatures: at most",),
        "expected at most 16 signatures, found 17",
    ),
)
