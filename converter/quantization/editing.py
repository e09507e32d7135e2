"""Small changes of an ONNX graph in place; names stay unique and nodes in an order that runs."""

from collections.abc import Collection
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import numpy_helper

from converter.quantization.wiring import Wiring, wired


class Edited:
    """An `onnx.ModelProto` under change.

    untouched: names of nodes that are not to be changed.
    """

    def __init__(self, model: Any, untouched: Collection[str] = frozenset()) -> None:
        self.model = model
        self._untouched = untouched
        self._taken = {
            name for node in model.graph.node for name in (node.name, *node.input, *node.output)
        } | {each.name for each in (*model.graph.input, *model.graph.output, *model.graph.initializer)}

    @cached_property
    def wiring(self) -> Wiring:
        """The wiring as it is now."""
        return wired(self.model)

    def nodes(self) -> list[Any]:
        """The nodes that may be changed, in the graph's order."""
        return [node for node in self.model.graph.node if self.may_change(node)]

    def may_change(self, node: Any) -> bool:
        return node.name not in self._untouched

    def only_reader(self, name: str) -> Any | None:
        """The node that alone reads a value and may be changed."""
        node = self.wiring.only_reader(name)
        return node if node is not None and self.may_change(node) else None

    def fresh(self, name: str) -> str:
        """A name that nothing has: this one, where it is free."""
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def constant(self, array: NDArray[Any], name: str) -> str:
        """A new constant; its name begins with `name`."""
        made = self.fresh(name)
        tensor = numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), made)
        self.model.graph.initializer.append(tensor)
        self.changed()
        return made

    def remove(self, node: Any) -> None:
        """Take a node out; whoever read its first output reads its first input."""
        gone, kept = node.output[0], node.input[0]
        self.model.graph.node.remove(node)
        self.redirect(gone, kept)

    def replace_by_constant(self, node: Any, array: NDArray[Any]) -> None:
        """Take a node out; its output is a constant of the same name."""
        self.model.graph.node.remove(node)
        self.model.graph.initializer.append(numpy_helper.from_array(array.copy(), node.output[0]))
        self.changed()

    def redirect(self, old: str, new: str) -> None:
        """Whoever reads `old` reads `new`."""
        for node in self.model.graph.node:
            node.input[:] = [new if name == old else name for name in node.input]
        self.changed()

    def move_behind(self, node: Any, other: Any) -> None:
        """Put a node right behind another."""
        nodes = list(self.model.graph.node)
        nodes.remove(node)
        nodes.insert(nodes.index(other) + 1, node)
        self.model.graph.ClearField("node")
        self.model.graph.node.extend(nodes)
        self.changed()

    def forget_unread(self) -> None:
        """Drop constants that no node reads, and what was said of values that are no more."""
        read = set(self.wiring.readers) | self.wiring.outputs
        kept = [tensor for tensor in self.model.graph.initializer if tensor.name in read]
        self.model.graph.ClearField("initializer")
        self.model.graph.initializer.extend(kept)
        self.model.graph.ClearField("value_info")
        self.changed()

    def changed(self) -> None:
        """What was known of the wiring holds no more."""
        self.__dict__.pop("wiring", None)
