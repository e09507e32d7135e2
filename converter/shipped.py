"""One variant on its way into a bundle."""

from dataclasses import dataclass

from converter.frontends.base import Converted
from converter.source import Tensors
from edge_runtime.bundle.manifest import Variant


@dataclass(frozen=True)
class Shipped:
    """A variant that is to go into the bundle.

    artifacts: its files. whole: its graph in one piece, as ONNX Runtime ran it here. found: what it
    answered to the held-out inputs.
    """

    variant: Variant
    artifacts: dict[str, bytes]
    whole: Converted
    found: Tensors
