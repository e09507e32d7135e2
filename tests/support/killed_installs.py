"""Runs on a device: SIGKILL before every file-system call of an install, then recovery, then again.

The store runs a version already. After each kill it recovers, runs what it ran, whole, and the same
install goes through. Prints how often it was killed.
"""

import shutil
from itertools import count
from pathlib import Path

from edge_runtime.bundle import load_root, open_folder
from edge_runtime.store.disk import Store
from tests.support.sigkill import Killer


def main(store: Path, bundle: Path, root: Path) -> None:
    before = store.with_name(f"{store.name}-before")
    shutil.copytree(store, before)
    active = whole(store, root)
    with Killer() as killer:
        for call in count(1):
            shutil.rmtree(store)
            shutil.copytree(before, store)
            if not killer.killed(call, install, store, bundle, root):
                print(call - 1)
                return
            Store(store).recover()
            assert whole(store, root) == active, f"killed before call {call}"
            install(store, bundle, root)
            assert whole(store, root) == active, f"repeated after a kill before call {call}"


def install(store: Path, bundle: Path, root: Path) -> None:
    Store(store).install(bundle, root=load_root(root))


def whole(store: Path, root: Path) -> dict[str, str | None]:
    """The digest that each model runs; every file of every slot that the state names was read."""
    opened = Store(store)
    models = opened.state().models
    for model, now in models.items():
        for digest in now.slots:
            with open_folder(opened.slot_path(model, digest), root=load_root(root)) as bundle:
                assert bundle.digest == digest
                for name in bundle.names:
                    bundle.read(name)
    return {model: now.active for model, now in models.items()}
