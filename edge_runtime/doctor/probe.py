"""What the engines of installed bundles say of this machine, asked in a process of its own.

On a processor that an engine was not built for, importing it ends the process.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from edge_runtime.bundle import open_folder
from edge_runtime.bundle.manifest import Variant
from edge_runtime.engine import registry


class Engines(msgspec.Struct, frozen=True):
    """By an engine's name: `unavailable`, why it cannot be used, '' where it can; `usable`, its
    providers; `unusable`, those that are installed and cannot be used, each with why; `broken`, what its
    adapter raised when it was asked for them."""

    unavailable: dict[str, str]
    usable: dict[str, tuple[str, ...]] = {}
    unusable: dict[str, Mapping[str, str]] = {}
    broken: dict[str, str] = {}


def engines(
    board: str, folders: Sequence[str], on_look: Callable[[str], None] = lambda _: None
) -> Engines:
    """Of all variants in these slots. `board`: what this device is, '' where nobody has said.

    `on_look` hears of each engine before it is looked for: that of another package may hang.
    """
    variants: dict[str, Variant] = {}
    for folder in folders:
        with open_folder(folder, root=None, allow_unsigned=True) as bundle:
            variants |= {variant.engine: variant for variant in bundle.manifest.variants}
    unavailable: dict[str, str] = {}
    usable: dict[str, tuple[str, ...]] = {}
    unusable: dict[str, Mapping[str, str]] = {}
    broken: dict[str, str] = {}
    for name, variant in variants.items():
        package = registry.package_of(name)
        on_look(f"The engine {name} of the package {package}" if package else f"The engine {name}")
        found = registry.find([name])
        unavailable |= found.unavailable
        if not found.unavailable.get(name, "nobody has it"):
            ways = registry.providers(found.engines[name], variant, board)
            usable[name] = tuple(filter(None, ways.usable))  # where there is one way, it has no name
            unusable[name] = ways.unusable
            if ways.broken:
                broken[name] = ways.broken
    return Engines(unavailable, usable, unusable, broken)
