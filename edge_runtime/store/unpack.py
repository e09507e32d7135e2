"""From a bundle to a slot's folder, in an order that a power cut cannot turn into half a slot."""

import os
from pathlib import Path, PurePosixPath

from edge_runtime import durable
from edge_runtime.bundle import Bundle, open_folder
from edge_runtime.errors import EdgeError, StorageError

MARGIN_BYTES = 4 << 20
_BLOCK_BYTES = 4096  # a file's last block, and its name


def check_space(folder: Path, bundle: Bundle, margin_bytes: int) -> None:
    """Raise StorageError unless `folder` has room for the bundle, unpacked, and `margin_bytes` more."""
    needed = bundle.size_bytes + len(bundle.names) * _BLOCK_BYTES + margin_bytes
    with durable.translated(folder):
        found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if free < needed:
        raise StorageError(
            f"{folder}: {bundle.manifest.name} {bundle.manifest.version} needs {_mebibytes(needed)} of "
            f"free space, found {_mebibytes(free)}. Free some and try again; nothing was changed."
        )


def unpack(bundle: Bundle, folder: Path) -> None:
    """Write every file of a bundle below `folder`, under another name until all of it is on the disk.

    Raises BundleError when a file is not what the manifest says, StorageError when it cannot be written.
    """
    new = new_name(folder)
    durable.create_folder(folder.parent)
    durable.remove_folder(new)
    with durable.translated(new):
        os.mkdir(new)
    inner = sorted({parent for name in bundle.names for parent in PurePosixPath(name).parents})
    for part in inner[1:]:  # the first is the folder itself
        with durable.translated(new / part):
            os.mkdir(new / part)
    durable.create_files((new / name, bundle.chunks(name)) for name in bundle.names)
    for part in reversed(inner):
        durable.sync_folder(new / part)
    durable.remove_folder(folder)  # only ever a damaged copy of the same bundle
    durable.rename_folder(new, folder)


def new_name(folder: Path) -> Path:
    """Where a slot's files are until they are whole."""
    return folder.with_name(folder.name + ".new")


def is_intact(folder: Path, digest: str) -> bool:
    """Whether every byte of a slot is still what was installed."""
    try:
        with open_folder(folder, root=None, allow_unsigned=True) as bundle:
            bundle.check()
            return bundle.digest == digest
    except (EdgeError, OSError):
        return False


def _mebibytes(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB"
