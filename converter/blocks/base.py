"""What makes a transformer a block: it can add itself to an ONNX graph."""

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from numpy.typing import NDArray

if TYPE_CHECKING:
    from converter.graph import Graph


@runtime_checkable
class Block(Protocol):
    """A fitted preprocessing step that is the first of a Pipeline and converts itself.

    `transform` must return float32, since the graph does.
    """

    def transform(self, X: Any) -> NDArray[Any]:
        """The features, float32 of shape (windows, features)."""
        ...

    def window_shape(self) -> tuple[int, int]:
        """(samples, axes) of the windows it was fitted on; raises NotFittedError before."""
        ...

    def add_to_graph(self, graph: "Graph", windows: str) -> str:
        """Add nodes that compute `transform`; takes and returns the name of a float32 value."""
        ...

    def describe(self) -> dict[str, Any]:
        """Parameters for people to read in the manifest; numbers, strings and lists only."""
        ...
