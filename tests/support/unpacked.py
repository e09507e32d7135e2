"""Bundles taken apart and put together again, for tests that alter them."""

import io
from collections.abc import Mapping
from pathlib import Path

from edge_runtime.bundle import read_index


def payloads(raw: bytes) -> dict[str, bytes]:
    """Every file of an archive, by name."""
    index = read_index(io.BytesIO(raw))
    return {name: raw[entry.offset : entry.offset + entry.size] for name, entry in index.items()}


def unpack(files: Mapping[str, bytes], folder: Path) -> Path:
    """Write files by name under a folder; returns the folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder
