"""What became of one variant that was tried: kept, or why not."""

from dataclasses import dataclass, replace

from converter.quantization.choices import Recipe
from converter.shipped import Shipped
from edge_runtime.bundle.manifest import Accuracy


@dataclass(frozen=True)
class Tried:
    """One variant that quantization tried, for the report.

    why: in words, why it was dropped, or what it was kept for. size_ratio: its file over the fp32
    variant's; weights_ratio: the quantized layers' weights alone over their float32; time_ratio: one row
    over the fp32 variant's, on this machine, below 1 is faster. None where it did not come to that.
    shipped: what goes into the bundle; None where it was dropped.
    """

    recipe: Recipe
    why: str
    size_bytes: int | None = None
    size_ratio: float | None = None
    weights_ratio: float | None = None
    time_ratio: float | None = None
    accuracy: Accuracy | None = None
    shipped: Shipped | None = None

    @property
    def id(self) -> str:
        return self.recipe.id

    @property
    def engine(self) -> str:
        return self.recipe.engine

    @property
    def precision(self) -> str:
        return self.recipe.precision

    @property
    def kept(self) -> bool:
        return self.shipped is not None

    def dropped(self, why: str) -> "Tried":
        """The same, not kept."""
        return replace(self, why=why, shipped=None)
