"""A real ext4 of some megabytes, and what fills it to its last block."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def why_not() -> str:
    """Why none can be mounted here, '' where one can."""
    return "" if os.geteuid() == 0 and Path("/dev/loop-control").exists() else "it takes root to mount"


@contextmanager
def ext4(folder: Path, megabytes: int) -> Iterator[Path]:
    """A mounted file system in a file of `folder`, without blocks that only root may take."""
    image, mount = folder / "disk.img", folder / "disk"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mount], check=True)
    try:
        yield mount
    finally:
        subprocess.run(["umount", mount], check=True)


def fill(folder: Path) -> None:
    """Take every block that is free, in a file of `folder`."""
    descriptor = os.open(folder / "filling", os.O_WRONLY | os.O_CREAT)
    try:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    os.write(descriptor, bytes(size))
            except OSError:
                os.fsync(descriptor)
    finally:
        os.close(descriptor)
