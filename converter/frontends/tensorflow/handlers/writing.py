"""How handlers write: one ONNX node after another, the last in the place of TensorFlow's."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from edge_runtime.errors import UnsupportedModelError


class Writer:
    """Writes nodes in place of one. Values are names of tensors."""

    def __init__(self, ctx: Any, node: Any) -> None:
        self.ctx = ctx
        self.node = node
        self.given: list[str] = list(node.input)

    def op(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """A node with one output; returns that."""
        made = self.ctx.make_node(
            operator, list(inputs), attr=attributes or None, domain=domain, infer_shape_dtype=not domain
        )
        name: str = made.output[0]
        return name

    def constant(self, array: NDArray[Any]) -> str:
        name: str = self.ctx.make_const(f"{self.node.name}_{len(self.ctx.get_nodes())}", array).output[0]
        return name

    def like(self, number: float, value: str) -> str:
        """A number of the dtype of a tensor."""
        return self.constant(np.array(number, self.dtype(value)))

    def dtype(self, value: str) -> np.dtype[Any]:
        found: np.dtype[Any] = helper.tensor_dtype_to_np_dtype(self.ctx.get_dtype(value))
        return found

    def cast(self, value: str, dtype: str) -> str:
        return self.op("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def shape(self, value: str) -> list[int]:
        """Sizes, -1 where one is not known. Raises UnsupportedModelError where not even the rank is."""
        found = self.ctx.get_shape(value)
        if found is None:
            raise self.refusal("an input of known rank")
        return list(found)

    def known(self, at: int) -> NDArray[Any]:
        """The constant that is the node's input `at`. Raises UnsupportedModelError."""
        if not self.node.inputs[at].is_const():
            raise self.refusal("a constant where it has something computed")
        return np.asarray(self.node.inputs[at].get_tensor_value(as_list=False))

    def done(self, value: str) -> None:
        """Put `value` in the place of the node's output."""
        old = self.node.output[0]
        shape, dtype = self.ctx.get_shape(old), self.ctx.get_dtype(old)
        self.ctx.remove_node(self.node.name)
        self.ctx.make_node("Identity", [value], outputs=[old], shapes=[shape], dtypes=[dtype])

    def refusal(self, expected: str) -> UnsupportedModelError:
        kind = self.node.attr["tf_op"].s.decode() if "tf_op" in self.node.attr else self.node.type
        return UnsupportedModelError(f"operator {kind} in {self.node.name!r}: expected {expected}.")
