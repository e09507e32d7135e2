"""What makes and what reads each value of an ONNX graph."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper


@dataclass(frozen=True)
class Wiring:
    """A graph's values by name.

    constants: its initializers. makers: the node that computes a value; inputs and constants have none.
    readers: the nodes that read it, those whose inner graphs do included, in the graph's order.
    outputs: what the graph gives.
    """

    constants: Mapping[str, Any]
    makers: Mapping[str, Any]
    readers: Mapping[str, Sequence[Any]]
    outputs: frozenset[str]

    def array(self, name: str) -> NDArray[Any] | None:
        """A constant's numbers; None where the value is none."""
        tensor = self.constants.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def only_reader(self, name: str) -> Any | None:
        """The node that alone reads a value; None where there are others, or the graph gives it."""
        readers = self.readers.get(name, ())
        return readers[0] if len(readers) == 1 and name not in self.outputs else None


def wired(model: Any) -> Wiring:
    """The wiring of an `onnx.ModelProto` as it is now."""
    readers: dict[str, list[Any]] = defaultdict(list)
    for node in model.graph.node:
        for name in dict.fromkeys(_reads(node)):
            readers[name].append(node)
    return Wiring(
        constants={tensor.name: tensor for tensor in model.graph.initializer},
        makers={name: node for node in model.graph.node for name in node.output if name},
        readers=dict(readers),
        outputs=frozenset(value.name for value in model.graph.output),
    )


def attributes(node: Any) -> dict[str, Any]:
    """A node's attributes as Python values."""
    return {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}


def is_standard(node: Any, *operators: str) -> bool:
    """Whether a node is of ONNX's own operators, and one of these."""
    return node.domain in ("", "ai.onnx") and node.op_type in operators


def is_float32(array: NDArray[Any] | None) -> bool:
    """Whether there is an array, and it is one of float32."""
    return array is not None and array.dtype == np.float32


def is_rounded(node: Any, wiring: Wiring) -> bool:
    """Whether a layer of a quantized graph has its weight in whole numbers."""
    maker = wiring.makers.get(node.input[1]) if len(node.input) > 1 else None
    return maker is not None and is_standard(maker, "DequantizeLinear")


def _reads(node: Any) -> Iterator[str]:
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for inner in (attribute.g, *attribute.graphs):
            for each in inner.node:
                yield from _reads(each)
            yield from (value.name for value in inner.output)
