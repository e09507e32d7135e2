"""The graph of a model in standard operators and float32."""

from collections.abc import Mapping, Sequence
from typing import Any

from converter.graph import OPSETS, Graph
from converter.standard.narrowing import narrow, opsets_used


class StandardGraph(Graph):
    """A graph that is narrowed to float32 when it is finished; lowerings keep to standard operators.

    read_by_trees: values whose numbers decide which leaf is reached.
    """

    def __init__(self, opsets: Mapping[str, int] = OPSETS) -> None:
        super().__init__(opsets)
        self.read_by_trees: list[str] = []
        self._changed: frozenset[str] = frozenset()

    @property
    def keeps_leaves(self) -> bool:
        """Whether trees read the very numbers they read in float64; once the graph was finished."""
        return self._changed.isdisjoint(self.read_by_trees)

    def _model(
        self,
        nodes: Sequence[Any],
        read: set[str],
        inputs: Sequence[Any],
        outputs: Mapping[str, tuple[str, str, Sequence[int | None]]],
    ) -> Any:
        model = super()._model(nodes, read, inputs, outputs)
        self._changed |= narrow(model)
        opsets_used(model)
        return model
