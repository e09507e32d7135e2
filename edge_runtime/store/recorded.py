"""What a device has measured of its own, shown by `bench --store`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_runtime.engine.options import print_json

if TYPE_CHECKING:
    from edge_runtime.choice.key import Key
    from edge_runtime.choice.record import Record
    from edge_runtime.store.disk import Store
    from edge_runtime.store.slots import Slot


def show(folder: Path, model: str | None, as_json: bool) -> None:
    """Print the table of each model of the store in `folder`, or of one. Raises StoreError."""
    from edge_runtime.choice.text import columns
    from edge_runtime.store.disk import Store

    store = Store(folder)
    found = list(_recorded(store, model))
    if as_json:
        print_json(
            [
                {"model": slot.model, "version": slot.version, "digest": slot.digest, "measured": record}
                for slot, record in found
            ]
        )
        return
    lines = []
    for slot, record in found:
        lines += ["", f"{slot.model} {slot.version}"]
        if record is None:
            lines.append(f"nothing is recorded: {_again(slot.model)}")
            continue
        lines += columns(record.rows, {record.chosen: "chosen"})
        lines += _pinned(record.key)
        lines.append(
            f"on {record.key.machine}, edge-runtime {record.key.runtime}{_stale(slot.model, record)}"
        )
    click.echo("\n".join(lines[1:]) or "no models are installed")


def _recorded(store: "Store", model: str | None) -> "Iterator[tuple[Slot, Record | None]]":
    """What runs, or is to run next, of each model, and what was measured of it. Raises StoreError."""
    from edge_runtime.choice.record import path_of, read
    from edge_runtime.errors import StoreError

    models = store.state().models
    if model is not None and model not in models:
        raise StoreError(
            f"{store.root}: expected the model {model!r}, found {', '.join(sorted(models)) or 'none'}."
        )
    for name, now in sorted(models.items()):
        digest = now.active or now.pending
        if digest is not None and model in (None, name):
            yield now.slots[digest], read(path_of(store.root, name, digest))


def _pinned(key: "Key") -> list[str]:
    """A line on what was pinned, so that nothing else was measured; none where nothing was."""
    pins = {"the variant": key.variant, "the provider": key.provider}
    told = " on ".join(f"{what} {name}" for what, name in pins.items() if name)
    return [f"pinned by the configuration or a command: {told}; no other was measured"] if told else []


def _stale(model: str, record: "Record") -> str:
    """That what was measured is to be measured again; '' where it still holds."""
    from edge_runtime.choice.key import holds_here

    if holds_here(record.key):
        return ""
    return f"; this machine, its engines or edge-runtime are others now: {_again(model)}"


def _again(model: str) -> str:
    return f"an agent measures it when it starts; without one: edge-runtime activate {model}"
