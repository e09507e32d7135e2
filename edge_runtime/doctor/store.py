"""Whether what is installed can be read, and who uses it."""

from collections.abc import Iterator
from pathlib import Path

from edge_runtime.doctor.findings import Device, Finding, ok, problem, warning
from edge_runtime.errors import EdgeError
from edge_runtime.store.disk import Store


def look(device: Device) -> Iterator[Finding]:
    path = device.config.store if device.config else device.store
    assert path is not None
    if not path.exists():
        yield ok(f"{path}: nothing is installed yet; the first install makes the store.")
        return
    yield from _installed(path)
    if Store(path).agent_running():
        yield ok(f"{path}: an agent runs on it now.")
    elif device.config:
        yield warning(
            f"{path}: no agent runs on it now.",
            "Start it: systemctl start edge-runtime. Why it ended: journalctl -u edge-runtime",
        )


def _installed(path: Path) -> Iterator[Finding]:
    store = Store(path)
    try:
        models = store.state().models
        store.trusted_root()
    except EdgeError as error:
        what, _, advice = str(error).partition(". ")
        yield problem(f"{what.rstrip('.')}.", advice or "Look at who may read it, and at the disk.")
        return
    for name, model in models.items():
        if model.active is None:
            yield ok(f"{name}: no version is active.")
            continue
        version = model.slots[model.active].version
        try:
            store.slot_path(name, model.active)
        except EdgeError as error:
            yield problem(str(error), f"Install {name} {version} again: edge-runtime install BUNDLE")
        else:
            yield ok(f"{name}: version {version} is active.")
    if not models:
        yield ok(f"{path}: nothing is installed yet.")
