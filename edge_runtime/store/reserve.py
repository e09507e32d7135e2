"""Room on the disk that a store keeps for the one change that frees some.

    STORE/reserve    blocks without content, given back before a prune on a full disk writes its state

Without it nothing could be removed there: which files go has to be written down before they do.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from edge_runtime import durable
from edge_runtime.errors import StorageError
from edge_runtime.store.slots import State

NAME = "reserve"
BYTES = 256 << 10  # a state is some kilobytes; beside it the folder and the file system's own notes


def keep(store: Path) -> None:
    """Have the reserve, whole, unless it is there. Where the disk has no room, that is for later."""
    path = store / NAME
    with suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if os.fstat(descriptor).st_size < BYTES:  # else whoever made it was not killed half way
                # Blocks, and no bytes: nothing is written onto flash, and nothing has to be flushed.
                os.posix_fallocate(descriptor, 0, BYTES)
        except OSError:
            os.unlink(path)
        finally:
            os.close(descriptor)


def spend(store: Path, change: Callable[[], State]) -> State:
    """Make a change that frees room; where the disk does not take it, again without the reserve.

    Raises what `change` does.
    """
    try:
        return change()
    except StorageError:
        if not _release(store):
            raise
        return change()
    finally:
        keep(store)


def _release(store: Path) -> bool:
    """Give the reserve back to the disk; whether there was one."""
    try:
        os.unlink(store / NAME)
    except OSError:
        return False
    durable.sync_folder(store)  # until then a file system with a journal does not use its blocks again
    return True
