"""What the engines of installed bundles say of this machine, asked in a process of its own.

On a processor that an engine was not built for, importing it ends the process.
"""

from collections.abc import Mapping, Sequence

import msgspec

from edge_runtime.bundle import open_folder
from edge_runtime.bundle.manifest import Variant
from edge_runtime.engine import registry
from edge_runtime.engine.base import Engine
from edge_runtime.engine.registry import broken


class Engines(msgspec.Struct, frozen=True):
    """By an engine's name: `unavailable`, why it cannot be used, '' where it can; `unusable`, its
    providers that are installed and cannot be used, each with why."""

    unavailable: dict[str, str]
    unusable: dict[str, dict[str, str]]


def engines(board: str, folders: Sequence[str]) -> Engines:
    """Of all variants in these slots. `board`: what this device is, '' where nobody has said."""
    variants: dict[str, Variant] = {}
    for folder in folders:
        with open_folder(folder, root=None, allow_unsigned=True) as bundle:
            variants |= {variant.engine: variant for variant in bundle.manifest.variants}
    found = registry.find(variants)
    unusable = {
        name: _unusable(engine, variants[name], board)
        for name, engine in found.engines.items()
        if not found.unavailable[name]
    }
    return Engines(dict(found.unavailable), unusable)


def _unusable(engine: Engine, variant: Variant, board: str) -> dict[str, str]:
    ask = getattr(engine, "unusable_providers", None)
    try:
        told: Mapping[str, str] = ask(variant, board) if ask else {}
        return dict(told)
    except Exception as error:  # noqa: BLE001 (an adapter of others may raise anything)
        return {"any provider": f"its {broken(error)}"}
