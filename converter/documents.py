"""What a bundle says about itself for people and their tools: model card and bill of materials."""

from collections.abc import Sequence

from converter.card import card
from converter.materials import bill_of_materials
from edge_runtime.boards import Board
from edge_runtime.bundle.manifest import Manifest


def documents(manifest: Manifest, boards: Sequence[Board]) -> dict[str, bytes]:
    """The files by name. `manifest` lists all others; `boards` are what the bundle was made for."""
    return {"card.md": card(manifest, boards), "bom.json": bill_of_materials(manifest)}
