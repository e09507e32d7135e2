"""Which whole numbers of the inputs a model looks up in tables, as an embedding does."""

from collections.abc import Iterator
from typing import Any

from converter.frontends.limits import Limits

_HAND_ON = {"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}


def lookups(graph: Any) -> Limits | None:
    """The numbers that every table has, read straight from the input; None where none is.

    Where numbers are computed, or picked out of the input, before they are looked up, nothing is known.
    """
    sizes = list(_table_sizes(graph, graph.input[0].name))
    return Limits(-min(sizes), min(sizes) - 1) if sizes else None


def _table_sizes(graph: Any, given: str) -> Iterator[int]:
    tables = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    as_given = {given}
    for node in graph.node:  # each behind what it reads
        if node.op_type in _HAND_ON and node.input[0] in as_given:
            as_given.add(node.output[0])
        if node.op_type == "Gather" and node.input[0] in tables and node.input[1] in as_given:
            axis = next((each.i for each in node.attribute if each.name == "axis"), 0)
            yield tables[node.input[0]][axis]
