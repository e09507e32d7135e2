"""Whether a folder can be written to, really tried, with nothing left behind."""

import errno
import os
import tempfile
from pathlib import Path

_BYTES = 4096
_NO_NAMELESS_FILES = {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL}


def nearest(path: Path) -> Path:
    """The folder itself, or the nearest one above it that exists and may be seen."""
    return next(folder for folder in (path, *path.parents) if os.path.isdir(folder))


def in_the_way(path: Path) -> Path | None:
    """What is there, or above it, and is no folder; None where a folder is or can be made."""
    there = next(each for each in (path, *path.absolute().parents) if os.path.lexists(each))
    return None if os.path.isdir(there) else there


def try_to_write(folder: Path) -> None:
    """Write a block to a file without a name, which a crash cannot leave behind. Raises OSError."""
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in _NO_NAMELESS_FILES:
            raise
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_BYTES))
        return
    try:
        os.write(descriptor, bytes(_BYTES))
    finally:
        os.close(descriptor)
