"""A disk whose every block write and flush is written down: a loop device over a file of our own FUSE.

The kernel's loop driver turns a flush of its device into an fsync of the file below it; here that file
is answered by this process, which keeps a copy of the disk and a log. Linux, root, /dev/fuse.
"""

import ctypes
import errno
import json
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

NAME = "disk"
BLOCK_BYTES = 4096
_LOOKUP, _FORGET, _GETATTR, _OPEN, _READ, _WRITE, _RELEASE, _FSYNC = 1, 2, 3, 14, 15, 16, 18, 20
_FLUSH, _INIT, _INTERRUPT, _DESTROY, _BATCH_FORGET = 25, 26, 36, 38, 42
_SETATTR, _STATFS = 4, 17
_NO_ANSWER = (_FORGET, _INTERRUPT, _BATCH_FORGET)
_IN = struct.Struct("<IIQQIIII")
_DIRECT_IO = 1
_MAX_WRITE = 1 << 20


Told = tuple[int, bytes] | str | None


def told(log: Path) -> Iterator[Told]:
    """What a disk was told: `(offset, bytes)` for a write, None for a flush, a text for a mark."""
    with log.open("rb") as file:
        while line := file.readline():
            kind, offset, size = json.loads(line)
            data = file.read(size)
            yield (offset, data) if kind == "write" else data.decode() if kind == "mark" else None


def serve(folder: Path, image: Path, log: Path) -> None:
    """Show `image` as FOLDER/disk and write down what it is told, until it is unmounted.

    What is written to FOLDER/mark is a mark between the writes.
    """
    descriptor = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={descriptor},rootmode=40000,user_id=0,group_id=0,max_read={_MAX_WRITE}".encode()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"power", os.fsencode(folder), b"fuse.power", 0, options):
        raise OSError(ctypes.get_errno(), "mount of /dev/fuse")
    with image.open("r+b", buffering=0) as disk, log.open("wb", buffering=0) as out:
        _Server(descriptor, disk, out).run()


class _Server:
    def __init__(self, descriptor: int, disk: BinaryIO, log: BinaryIO) -> None:
        self._descriptor, self._disk, self._log = descriptor, disk, log
        self._size = os.fstat(disk.fileno()).st_size

    def run(self) -> None:
        while True:
            try:
                request = os.read(self._descriptor, _MAX_WRITE + 4096)
            except OSError as error:
                if error.errno == errno.ENODEV:  # unmounted
                    return
                if error.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN):
                    continue
                raise
            _, code, unique, node, *_ = _IN.unpack_from(request)
            if code in _NO_ANSWER:
                continue
            answer = self._answer(code, node, request[_IN.size :])
            number, data = (answer, b"") if isinstance(answer, int) else (0, answer)
            with suppress(FileNotFoundError):  # the one who asked was interrupted
                os.write(self._descriptor, struct.pack("<IiQ", 16 + len(data), -number, unique) + data)

    def _answer(self, code: int, node: int, body: bytes) -> bytes | int:
        if code == _INIT:
            major, _, ahead, _ = struct.unpack_from("<IIII", body)
            return struct.pack(
                "<IIIIHHIIHHI7I", major, 31, ahead, 0, 16, 12, _MAX_WRITE, 1, 256, 0, 0, *[0] * 7
            )
        if code == _LOOKUP:
            node = {b"disk\0": 2, b"mark\0": 3}.get(body, 0)
            return (
                struct.pack("<QQQQII", node, 0, 0, 0, 0, 0) + self._attributes(node)
                if node
                else errno.ENOENT
            )
        if code in (_GETATTR, _SETATTR):
            return struct.pack("<QII", 0, 0, 0) + self._attributes(node)
        if code == _OPEN:
            return struct.pack("<QII", 0, _DIRECT_IO, 0)
        if code == _READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            return os.pread(self._disk.fileno(), size, offset)
        if code == _WRITE:
            return self._write(node, body)
        if code == _FSYNC:
            self._note("flush", 0, b"")
            return b""
        if code == _STATFS:
            return bytes(80)
        return b"" if code in (_FLUSH, _RELEASE, _DESTROY) else errno.ENOSYS

    def _write(self, node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        data = body[40 : 40 + size]
        if node == 2:
            os.pwrite(self._disk.fileno(), data, offset)
        self._note("write" if node == 2 else "mark", offset, data)
        return struct.pack("<II", size, 0)

    def _note(self, kind: str, offset: int, data: bytes) -> None:
        self._log.write(json.dumps([kind, offset, len(data)]).encode() + b"\n" + data)

    def _attributes(self, node: int) -> bytes:
        mode, size = (0o40755, 0) if node == 1 else (0o100600, self._size if node == 2 else 0)
        times, owner_and_device = [0] * 6, [0] * 3
        return struct.pack(
            "<6Q10I", node, size, size // 512, *times, mode, 1, *owner_and_device, BLOCK_BYTES, 0
        )


if __name__ == "__main__":
    serve(*map(Path, sys.argv[1:]))
