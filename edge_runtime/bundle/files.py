"""Files from outside, opened with care; everything here raises plain OSError."""

import errno
import os
import stat
from collections.abc import Iterator

CHUNK_BYTES = 1 << 20
# What to do where no more files may be open: that says nothing of the one that was to be opened.
EXHAUSTED = {
    errno.EMFILE: "This process has as many files open as it may (`ulimit -n` tells how many): "
    "close what is no longer used, such as models, or raise the limit.",
    errno.ENFILE: "All processes together have as many files open as the machine allows "
    "(`sysctl fs.file-max`): end one that holds many, or raise the limit.",
}


def open_regular(path: str | os.PathLike[str], *, folder: int | None = None, follow: bool = True) -> int:
    """A descriptor for reading a regular file; `path` is relative to the descriptor `folder`, if given.

    A named pipe or device is refused rather than waited for; a link is followed if `follow` says so.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags, dir_fd=folder)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder, not a file")
    raise OSError(errno.EINVAL, "it is not a regular file")


def open_folder_at(
    path: str | os.PathLike[str], *, folder: int | None = None, follow: bool = True
) -> int:
    """A descriptor of a folder."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    return os.open(path, flags, dir_fd=folder)


def read_small(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    """The bytes of a regular file of at most `max_bytes`; a larger one is EFBIG."""
    descriptor = open_regular(path)
    try:
        size = os.fstat(descriptor).st_size
        if size > max_bytes:
            raise OSError(errno.EFBIG, f"expected at most {max_bytes} bytes, found {size}")
        return b"".join(read_range(descriptor, 0, size))
    finally:
        os.close(descriptor)


def read_range(descriptor: int, offset: int, size: int) -> Iterator[bytes]:
    """`size` bytes from `offset` in chunks, without moving the descriptor's own position."""
    end = offset + size
    while offset < end:
        chunk = os.pread(descriptor, min(CHUNK_BYTES, end - offset), offset)
        if not chunk:
            raise OSError(errno.EIO, "it became shorter while it was read")
        yield chunk
        offset += len(chunk)
