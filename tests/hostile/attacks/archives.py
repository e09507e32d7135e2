"""Archives that two ZIP readers read differently, and archives that are larger than they look."""

import struct
import zlib
from pathlib import Path

from edge_runtime.bundle.archive import MAX_ARCHIVE_BYTES
from edge_runtime.errors import ArchiveError, BundleError, EdgeError
from tests.hostile.building import CENTRAL, END, GOOD, LOCAL, archive, opening, signed
from tests.hostile.case import Attempt, Case

GROUP = "archive"
DIFFERENTIAL = "CVE-2025-54368"
OFFSETS = "python/cpython#139700"
MISMATCH = "python/cpython#75358"
OVERLAP = "CVE-2024-0450"
LOCAL_HEADER = "bundle.archive.read_index: the canonical header of"
TAIL = "bundle.archive.read_index: the canonical central directory"
SUM = "bundle.archive.read_index: the size its entries add up to"
END_OF_ZIP = "bundle.archive._members: the end of a ZIP archive"

RAW = archive(signed(GOOD))
TAIL_SIZE = END.unpack(RAW[-END.size :])[5] + END.size
DIRECTORY = len(RAW) - TAIL_SIZE
FIRST = RAW[LOCAL.size :].partition(b"\x35\xd9")[0]  # the first name, up to its extra field


def _patched(offset: int, new: bytes) -> bytes:
    return RAW[:offset] + new + RAW[offset + len(new) :]


def _local(what: str, offset: int, new: bytes, advisory: str = "") -> Case:
    """The first local header differs from what the central directory says."""
    says = f"expected the canonical header of '{FIRST.decode()}', found other bytes"
    return _case(what, _patched(offset, new), (LOCAL_HEADER,), says, advisory=advisory)


def _central(what: str, offset: int, new: bytes, advisory: str = "") -> Case:
    """The first entry of the central directory is spelled in another way."""
    raw = _patched(DIRECTORY + offset, new)
    says = "expected the canonical central directory, found another spelling of it"
    return _case(what, raw, (TAIL,), says, advisory=advisory)


def _case(
    what: str,
    raw: bytes,
    rules: tuple[str, ...],
    says: str,
    *,
    advisory: str = "",
    error: type[EdgeError] = ArchiveError,
) -> Case:
    return Case(GROUP, what, lambda folder: opening(raw, folder), rules, says, error, advisory)


def _with_end(**changes: int) -> bytes:
    names = ("signature", "disk", "start", "here", "count", "size", "offset", "comment")
    fields = dict(zip(names, END.unpack(RAW[-END.size :]), strict=True)) | changes
    return RAW[: -END.size] + END.pack(*fields.values())


def _compressed() -> bytes:
    """The first payload deflated, both headers saying so: 8 is the method."""
    at, method = DIRECTORY + 10, struct.pack("<H", 8)
    return _patched(8, method)[:at] + method + RAW[at + len(method) :]


def _claims(size: int) -> bytes:
    """A first entry that claims to be larger than the file."""
    return _patched(DIRECTORY + 20, struct.pack("<II", size, size))


def _sparse(folder: Path) -> Attempt:
    attempt = opening(RAW, folder)
    with (folder / "hostile.edge").open("r+b") as file:
        file.truncate(MAX_ARCHIVE_BYTES + 1)
    return attempt


def _payload_changed() -> bytes:
    at = RAW.index(GOOD["card.md"])
    return _patched(at, b"!")


def _zip64_locator() -> bytes:
    return RAW[: -END.size] + struct.pack("<4sIQI", b"PK\6\7", 0, 0, 1) + RAW[-END.size :]


def _overlapping() -> bytes:
    """A second entry for the same payload, as a bomb of overlapping files has."""
    directory, end = RAW[DIRECTORY : -END.size], RAW[-END.size :]
    entry = directory[: CENTRAL.size] + b"card.mf"
    fields = list(END.unpack(end))
    added = directory[: CENTRAL.size + 7] + entry + directory[CENTRAL.size + 7 :]
    fields[3] += 1
    fields[4] += 1
    fields[5] = len(added)
    return RAW[:DIRECTORY] + added + END.pack(*fields)


def _inside_padding() -> bytes:
    """A whole small archive in the padding in front of the first payload."""
    hidden = archive({"x": b""})[-LOCAL.size :]
    return _patched(LOCAL.size + len(FIRST) + 4, hidden)


HEADERS = (
    _local("local header: another name", LOCAL.size, b"cord", MISMATCH),
    _local("local header: another size", 18, struct.pack("<II", 1, 1), DIFFERENTIAL),
    _local("local header: another CRC", 14, struct.pack("<I", zlib.crc32(b"x")), DIFFERENTIAL),
    _local("local header: deflated", 8, struct.pack("<H", 8), DIFFERENTIAL),
    _local("local header: encrypted", 6, struct.pack("<H", 1)),
    _local("local header: sizes after the payload", 6, struct.pack("<H", 8), DIFFERENTIAL),
    _local("local header: names in UTF-8", 6, struct.pack("<H", 1 << 11)),
    _local("local header: another time", 10, struct.pack("<H", 1)),
    _local(
        "local header: a Unicode path in the extra field", LOCAL.size + len(FIRST), b"up", DIFFERENTIAL
    ),
    _local("local header: ZIP64 in the extra field", LOCAL.size + len(FIRST), b"\1\0", DIFFERENTIAL),
    _local("local header: something in the padding", LOCAL.size + len(FIRST) + 4, b"payload"),
    _local("local header: a longer extra field", 28, struct.pack("<H", 5)),
    _local("local header: no header", 0, b"PK\0\0"),
)
DIRECTORIES = (
    _central("directory: deflated", 10, struct.pack("<H", 8), DIFFERENTIAL),
    _central("directory: encrypted", 8, struct.pack("<H", 1)),
    _central("directory: a symbolic link", 38, struct.pack("<I", 0o120777 << 16), "CVE-2026-27489"),
    _central("directory: a device node", 38, struct.pack("<I", 0o060666 << 16)),
    _central("directory: setuid", 38, struct.pack("<I", 0o104755 << 16)),
    _central("directory: a folder's attribute", 38, struct.pack("<I", 0o100644 << 16 | 16)),
    _central("directory: made by DOS", 5, b"\0"),
    _central("directory: on another disk", 34, struct.pack("<H", 1)),
    _central("directory: an offset elsewhere", 42, struct.pack("<I", 4096), OFFSETS),
    _central("directory: another uncompressed size", 24, struct.pack("<I", 1 << 31), "CVE-2019-9674"),
    _central("directory: another time", 12, struct.pack("<H", 1)),
)
WHOLE = (
    _case(
        "something in front of the archive",
        b"#!/bin/sh\n" + RAW,
        (END_OF_ZIP, LOCAL_HEADER, TAIL, SUM),
        "expected a bundle that ends with the end of a ZIP archive",
        advisory=OFFSETS,
    ),
    _case(
        "something behind the archive",
        RAW + b"x",
        (END_OF_ZIP,),
        "expected a bundle that ends with the end of a ZIP archive",
    ),
    _case(
        "two archives in one file",
        RAW + RAW,
        (END_OF_ZIP, SUM),
        "ends with the end of a ZIP",
        advisory=DIFFERENTIAL,
    ),
    _case("the end cut off", RAW[:-1], (END_OF_ZIP,), "ends with the end of a ZIP archive"),
    _case("a comment", _with_end(comment=1), (TAIL,), "canonical central directory"),
    _case("on several disks", _with_end(disk=1), (TAIL,), "canonical central directory"),
    _case(
        "two counts of entries",
        _with_end(here=1),
        (TAIL,),
        "canonical central directory",
        advisory=DIFFERENTIAL,
    ),
    _case(
        "no entries",
        _with_end(count=0, here=0),
        ("bundle.archive._members: 1 to {MAX_ENTRIES} entries",),
        "found 0 in",
    ),
    _case(
        "as many entries as ZIP64 has",
        _with_end(count=0xFFFF),
        ("bundle.archive._members: 1 to {MAX_ENTRIES} entries",),
        "found 65535",
    ),
    _case(
        "fewer entries than the directory has",
        _with_end(count=1, here=1),
        ("bundle.archive._members: 1 to {MAX_ENTRIES} entries", SUM, TAIL),
        "expected .* found",
    ),
    _case(
        "the directory elsewhere",
        _with_end(offset=DIRECTORY - 1),
        (END_OF_ZIP,),
        "ends with the end of a ZIP",
        advisory=OFFSETS,
    ),
    _case(
        "a locator of ZIP64 in front of the end",
        _zip64_locator(),
        (END_OF_ZIP,),
        "ends with the end of a ZIP",
        advisory=OFFSETS,
    ),
    _case(
        "a second entry for one payload",
        _overlapping(),
        (SUM, TAIL, LOCAL_HEADER),
        "expected .* found",
        advisory=OVERLAP,
    ),
    _case(
        "a hidden archive in the padding",
        _inside_padding(),
        (LOCAL_HEADER,),
        "canonical header",
        advisory=DIFFERENTIAL,
    ),
    _case(
        "deflated, as both headers say",
        _compressed(),
        (TAIL, LOCAL_HEADER),
        "canonical central directory",
        advisory=DIFFERENTIAL,
    ),
    _case(
        "an entry of 4 GiB",
        _claims(0xFFFFFFFF),
        ("bundle.archive._skeleton: at most",),
        "at most 2147483647 bytes in all, found more",
        advisory="CVE-2019-9674",
    ),
    _case(
        "an entry larger than the file",
        _claims(1 << 20),
        (SUM,),
        "expected the size its entries add up to, found",
        advisory="CVE-2019-9674",
    ),
    _case(
        "a payload whose CRC is wrong",
        _payload_changed(),
        (
            "bundle.sources.ArchiveSource.chunks: expected CRC-32",
            "bundle.reader.Bundle._digested: _altered",
        ),
        "card.md: expected CRC-32 [0-9a-f]{8}, found",
        error=BundleError,
    ),
    _case(
        "nothing at all",
        b"",
        ("bundle.archive.read_index: a size of",),
        "expected a size of 22 to 2147483647 bytes, found 0",
    ),
    Case(
        GROUP,
        "a hole of 2 GiB behind it",
        _sparse,
        ("bundle.archive.read_index: a size of", END_OF_ZIP),
        "expected a size of 22 to 2147483647 bytes, found 2147483648",
        ArchiveError,
        "CVE-2019-9674",
    ),
)
CASES = (*HEADERS, *DIRECTORIES, *WHOLE)
