"""Values for which ONNX Runtime stops, as at a fault: places a table lacks, categories nobody has seen.

A graph cannot raise. So here a table is asked about its nearest place, an encoder gives zeros, and what
they were asked about becomes an output, by which a device refuses the row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper

from converter.frontends.limits import Limits
from converter.frontends.onnx.running import Feeds, Running
from converter.graph import ML
from edge_runtime.errors import UnsupportedModelError


@dataclass(frozen=True)
class Guard:
    """One output that says which rows are refused. limits: of places in a table; None for categories."""

    limits: Limits | None

    @property
    def why(self) -> str:
        """For people, to follow a row's number."""
        return "a category that training never saw" if self.limits is None else self.limits.told()

    def outside(self, value: Any) -> Any:
        """bool (n,), the rows that are refused, of what the output says: (n, …)."""
        if self.limits is not None:
            return self.limits.split(value)[0]
        unknown = ~np.any(value > 0.5, axis=-1)
        while unknown.ndim > 1:
            unknown = np.any(unknown, axis=-1)
        return unknown


def guarded(model: Any, first: Feeds) -> tuple[Any, tuple[Guard, ...]]:
    """A copy of the model that does not stop, with an output more for each guard, in their order.

    first: two of its inputs. Only what belongs to a row is guarded, not what is computed of sizes. The
    copy's nodes are in no order, which `named_by_place` gives them.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    found = list(_candidates(made.graph))
    shapes = _looked_at(model, [name for _, name, _ in found], first)
    guards = []
    for node, name, guard in found:
        if name not in shapes:
            continue
        if guard.limits is None:
            _give_zeros(node)
        else:
            _stay_inside(made.graph, node, guard.limits, shapes[name].type.tensor_type.elem_type)
        made.graph.output.append(shapes[name])
        guards.append(guard)
    return made, tuple(guards)


def _candidates(graph: Any) -> Iterator[tuple[Any, str, Guard]]:
    """Nodes that may stop, the value that says whether they would, and how."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "OneHotEncoder" and node.domain == ML and not _number(node, "zeros", 1):
            yield node, node.output[0], Guard(None)
        if node.op_type == "Gather" and node.input[0] in constants and node.input[1] not in constants:
            size = constants[node.input[0]].dims[_number(node, "axis", 0)]
            yield node, node.input[1], Guard(Limits(-size, size - 1))


def _number(node: Any, name: str, default: int) -> int:
    return next((each.i for each in node.attribute if each.name == name), default)


def _looked_at(model: Any, names: Sequence[str], first: Feeds) -> dict[str, Any]:
    """Values as outputs, their shapes found by asking; without those that have no row for each input."""
    if not names:
        return {}
    looking = onnx.ModelProto()
    looking.CopyFrom(model)
    for name in dict.fromkeys(names):
        looking.graph.output.add().name = name
    running, found = Running(looking.SerializeToString(), "the model"), {}
    for name in names:
        try:
            for count in (1, 2):
                (array,) = running.ask([name], {key: each[:count] for key, each in first.items()})
        except UnsupportedModelError:
            continue
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        found[name] = helper.make_tensor_value_info(name, kind, ["batch", *array.shape[1:]])
    return found


def _give_zeros(encoder: Any) -> None:
    kept = [each for each in encoder.attribute if each.name != "zeros"]
    encoder.ClearField("attribute")
    encoder.attribute.extend([*kept, helper.make_attribute("zeros", 1)])


def _stay_inside(graph: Any, gather: Any, limits: Limits, kind: int) -> None:
    """The nearest place that the table has in place of one that it lacks; `kind` is the places' type."""
    place, name = gather.input[1], gather.output[0]
    for operator, bound in (("Min", limits.highest), ("Max", limits.lowest)):
        constant, made = f"{name}/{operator}_of", f"{name}/{operator}"
        graph.initializer.append(helper.make_tensor(constant, kind, [], [bound]))
        graph.node.append(helper.make_node(operator, [place, constant], [made]))
        place = made
    gather.input[1] = place
