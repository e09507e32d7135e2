"""A folder that holds something else is no store: nothing is written into it, and nothing removed."""

import os
import stat
from pathlib import Path

from edge_runtime import durable
from edge_runtime.errors import StoreError

_OWN = {
    "state.json",
    "state.json.tmp",
    "slots",
    "choices",
    "trust",
    "reserve",
    "lock",
    "install.lock",
    "agent.lock",
    "activate.lock",
}
_NOT_OURS_BUT_FINE = {"lost+found"}  # the store may be a file system of its own


def demand_folder(root: Path) -> None:
    """Raise StoreError where there is no folder for a store, or none that may be looked at."""
    try:
        found = os.stat(root)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreError(f"{root}: there is no store here. `edge-runtime install` makes one.") from error
    except OSError as error:
        told = f"{root}: the store cannot be looked at: {error.strerror}."
        raise StoreError(f"{told} {durable.advice(root, error)}".rstrip()) from error
    if not stat.S_ISDIR(found.st_mode):
        raise StoreError(f"{root}: expected the folder of a store, found a file. Name a folder.")


def refuse(root: Path) -> None:
    """Raise StoreError for a folder that has no store's state and holds what no store does."""
    if not os.path.isdir(root):
        return
    with durable.translated(root):
        found = set(os.listdir(root))
    if others := sorted(found - _OWN - _NOT_OURS_BUT_FINE):
        raise StoreError(
            f"{root}: expected a store or an empty folder, found {others[0]!r} and no store's state. "
            "Give another folder."
        )
