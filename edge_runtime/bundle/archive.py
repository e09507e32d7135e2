"""One file that holds others: a ZIP archive with exactly one spelling.

Entries are stored uncompressed, sorted by name, with a fixed time stamp, and each payload starts at a
multiple of 4096 bytes. All bytes that are not payload follow from the names, sizes and CRCs, so the
reader takes those from the central directory, rebuilds everything else and demands equality. Nothing
is left for two ZIP readers to disagree about; any ZIP tool opens the file.

The byte layout is specified in docs/bundle-format.md.
"""

import os
import re
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import BinaryIO

import msgspec

from edge_runtime.errors import ArchiveError

MAX_ENTRIES = 256
# Below 2 GiB every offset fits in 32 bits, so ZIP64 never appears.
MAX_ARCHIVE_BYTES = (1 << 31) - 1
MAX_DEPTH = 6
ALIGNMENT = 4096

_COMPONENT = r"[a-z0-9][a-z0-9._-]{0,95}"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT}){{0,{MAX_DEPTH - 1}}}\Z")
_MAX_NAME_BYTES = MAX_DEPTH * 97 - 1

# APPNOTE.TXT 4.3.7, 4.3.12 and 4.3.16. 33 is 1980-01-01 in DOS time; 788 is "made by Unix, version 2.0".
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_PADDING = struct.Struct("<HH")
_VERSION, _MADE_BY, _DATE, _PADDING_ID = 20, 788, 33, 0xD935
_ATTRIBUTES = 0o100644 << 16


class Entry(msgspec.Struct, frozen=True):
    """Where a payload is: `size` bytes from `offset`, with the CRC-32 its header states."""

    name: str
    offset: int
    size: int
    crc32: int


class _Skeleton(msgspec.Struct, frozen=True):
    """All bytes of an archive that are not payload; each header ends where its payload starts."""

    entries: tuple[Entry, ...]
    headers: tuple[bytes, ...]
    tail_offset: int
    tail: bytes


def write_archive(entries: Mapping[str, bytes]) -> bytes:
    """The canonical archive of named payloads.

    Raises ArchiveError for a name outside the rules, too many entries, or more than 2 GiB.
    """
    names = sorted(entries)
    skeleton = _skeleton([(name, len(entries[name]), zlib.crc32(entries[name])) for name in names])
    parts = []
    for name, header in zip(names, skeleton.headers, strict=True):
        parts += [header, entries[name]]
    return b"".join([*parts, skeleton.tail])


def read_index(file: BinaryIO) -> dict[str, Entry]:
    """Where each payload is, after every other byte of the file was compared with the canonical one.

    Payloads are not read: their CRCs and digests are the caller's to check.
    Raises ArchiveError for a file that `write_archive` would not have written.
    """
    total = file.seek(0, os.SEEK_END)
    if not _END.size <= total <= MAX_ARCHIVE_BYTES:
        raise _fault(f"a size of {_END.size} to {MAX_ARCHIVE_BYTES} bytes", f"{total}")
    skeleton = _skeleton(_members(file, total))
    if skeleton.tail_offset + len(skeleton.tail) != total:
        raise _fault("the size its entries add up to", f"{total} bytes")
    if _read_at(file, skeleton.tail_offset, len(skeleton.tail)) != skeleton.tail:
        raise _fault("the canonical central directory", "another spelling of it")
    for entry, header in zip(skeleton.entries, skeleton.headers, strict=True):
        if _read_at(file, entry.offset - len(header), len(header)) != header:
            raise _fault(f"the canonical header of {entry.name!r}", "other bytes")
    return {entry.name: entry for entry in skeleton.entries}


def check_names(names: Sequence[str]) -> None:
    """Refuse names that are not safe and canonical relative paths, sorted and without clashes.

    Raises ArchiveError. Nothing that passes can leave a folder it is unpacked into.
    """
    if not 1 <= len(names) <= MAX_ENTRIES:
        raise _fault(f"1 to {MAX_ENTRIES} entries", f"{len(names)}")
    seen: set[str] = set()
    previous = ""
    for name in names:
        if not is_name(name):
            raise _fault("lower-case relative file names of a-z, 0-9, '.', '_' and '-'", f"{name!a}")
        if name <= previous:
            raise _fault("names sorted and used once", f"{name!r} after {previous!r}")
        if clash := next((folder for folder in _folders(name) if folder in seen), ""):
            raise _fault(f"a file or a folder called {clash!r}", "both")
        seen.add(name)
        previous = name


def is_name(name: str) -> bool:
    """Whether one name alone is within the rules."""
    return _NAME.match(name) is not None


def _folders(name: str) -> Iterable[str]:
    parts = name.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


def _skeleton(members: Sequence[tuple[str, int, int]]) -> _Skeleton:
    """What belongs around payloads of these (name, size, CRC-32)."""
    check_names([name for name, _, _ in members])
    entries, headers, directory, position = [], [], bytearray(), 0
    for name, size, crc32 in members:
        encoded = name.encode("ascii")
        header = _local_header(encoded, size, crc32, position)
        directory += _central_header(encoded, size, crc32, position)
        position += len(header)
        entries.append(Entry(name, position, size, crc32))
        headers.append(header)
        position += size
        if position > MAX_ARCHIVE_BYTES:
            raise _fault(f"at most {MAX_ARCHIVE_BYTES} bytes in all", "more")
    end = _END.pack(b"PK\5\6", 0, 0, len(members), len(members), len(directory), position, 0)
    if position + len(directory) + len(end) > MAX_ARCHIVE_BYTES:
        raise _fault(f"at most {MAX_ARCHIVE_BYTES} bytes in all", "more")
    return _Skeleton(tuple(entries), tuple(headers), position, bytes(directory) + end)


def _local_header(name: bytes, size: int, crc32: int, position: int) -> bytes:
    """The header in front of a payload, stretched by an extra field until the payload is aligned."""
    stretch = -(position + _LOCAL.size + len(name) + _PADDING.size) % ALIGNMENT
    fixed = _LOCAL.pack(
        *(b"PK\3\4", _VERSION, 0, 0, 0, _DATE, crc32, size, size),
        *(len(name), _PADDING.size + stretch),
    )
    return fixed + name + _PADDING.pack(_PADDING_ID, stretch) + bytes(stretch)


def _central_header(name: bytes, size: int, crc32: int, position: int) -> bytes:
    return (
        _CENTRAL.pack(
            *(b"PK\1\2", _MADE_BY, _VERSION, 0, 0, 0, _DATE, crc32, size, size),
            *(len(name), 0, 0, 0, 0, _ATTRIBUTES, position),
        )
        + name
    )


def _members(file: BinaryIO, total: int) -> list[tuple[str, int, int]]:
    """(name, size, CRC-32) of each entry as the central directory states them, all still unproved."""
    end = _END.unpack(_read_at(file, total - _END.size, _END.size))
    signature, _, _, _, count, directory_size, directory_offset, _ = end
    if signature != b"PK\5\6" or directory_offset + directory_size + _END.size != total:
        raise _fault(
            "a bundle that ends with the end of a ZIP archive", "something else or a part of one"
        )
    if not 1 <= count <= MAX_ENTRIES or directory_size > count * (_CENTRAL.size + _MAX_NAME_BYTES):
        raise _fault(f"1 to {MAX_ENTRIES} entries", f"{count} in {directory_size} bytes")
    directory = _read_at(file, directory_offset, directory_size)
    members: list[tuple[str, int, int]] = []
    position = 0
    for _ in range(count):
        start = position + _CENTRAL.size
        if start > len(directory):
            raise _fault(f"{count} entries in the central directory", f"{len(members)}")
        fields = _CENTRAL.unpack(directory[position:start])
        crc32, size, name_bytes = fields[7], fields[8], fields[10]
        position = start + name_bytes
        members.append((directory[start:position].decode("latin-1"), size, crc32))
    return members


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _fault(expected: str, found: str) -> ArchiveError:
    return ArchiveError(
        f"expected {expected}, found {found}. "
        "The file is damaged, altered or no bundle: fetch or convert it again."
    )
