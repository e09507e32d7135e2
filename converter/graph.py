"""A small builder of ONNX graphs: nodes and constants in, the same bytes out every time.

Values are named by counting, so the same calls give the same names; equal constants are stored once.
Operator sets and IR version are fixed to what the oldest supported ONNX Runtime on a board takes.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from converter.foreign import translated
from edge_runtime.memory import return_freed_memory

OPSETS = {"": 17, "ai.onnx.ml": 3}
IR_VERSION = 8
ML = "ai.onnx.ml"
# Their axes are an attribute to opset 17, and an input from 18 on.
_AXES_INPUT = {"ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd"}


class Graph:
    """A graph under construction. Values are plain strings: the names of tensors.

    opsets: versions of the operators by domain. Nodes of others than OPSETS come from elsewhere, see
        `inline`.
    """

    def __init__(self, opsets: Mapping[str, int] = OPSETS) -> None:
        self.opsets = dict(opsets)
        self._nodes: list[Any] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._tensors: list[Any] = []
        self._inputs: list[Any] = []
        self._reserved: set[str] = set()
        self._count = 0

    @property
    def ir_version(self) -> int:
        """What the operators need: newer ones have dtypes of newer versions."""
        needed: int = helper.find_min_ir_version_for(self._imports(), ignore_unknown=True)
        return max(IR_VERSION, needed)

    def _imports(self) -> list[Any]:
        return [helper.make_opsetid(domain, version) for domain, version in self.opsets.items()]

    def input(self, name: str, dtype: str, shape: Sequence[int | None]) -> str:
        """Declare an input; None in `shape` is a size known only when the model runs."""
        self._inputs.append(_value_info(name, dtype, shape))
        self.reserve([name])
        return name

    def reserve(self, names: Iterable[str]) -> None:
        """Keep names for outputs to come, before there are nodes that might have them."""
        self._reserved.update(names)

    def constant(self, array: NDArray[Any]) -> str:
        """A constant tensor; the same array is stored once however often it is asked for."""
        array = np.array(array, order="C")  # ascontiguousarray would make scalars 1-D
        texts = array.dtype.kind == "O"  # of which the bytes are addresses
        content = repr(array.tolist()).encode() if texts else array.tobytes()
        key = (array.dtype.str, array.shape, content)
        if key not in self._constants:
            name = self._unreserved(f"constant_{len(self._constants)}")
            self._constants[key] = name
            self._tensors.append(numpy_helper.from_array(array, name))
        return self._constants[key]

    def tables(self, kind: str, **arrays: NDArray[Any]) -> tuple[str, ...]:
        """Constants that belong together, each called after what it is, such as "trees_7.left".

        What reads the finished graph finds them by these names, so no other constant shares them.
        """
        together = self._new(kind)
        names = tuple(f"{together}.{role}" for role in arrays)
        self._tensors.extend(map(numpy_helper.from_array, arrays.values(), names))
        return names

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output; returns that output."""
        return self.nodes_of(operator, *inputs, outputs=1, domain=domain, **attributes)[0]

    def nodes_of(
        self, operator: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any
    ) -> tuple[str, ...]:
        """Add a node with several outputs; returns them."""
        names = tuple(self._new(operator) for _ in range(outputs))
        if operator in _AXES_INPUT and "axes" in attributes and self.opsets[""] >= 18:
            inputs = (*inputs, self.constant(np.array(attributes.pop("axes"), dtype=np.int64)))
        self._nodes.append(
            helper.make_node(
                operator, list(inputs), list(names), name=f"node_{names[0]}", domain=domain, **attributes
            )
        )
        return names

    def inline(self, model: Any, *inputs: str) -> tuple[str, ...]:
        """Copy another model's nodes in, its inputs connected to `inputs`; returns its outputs.

        `model` is an `onnx.ModelProto` without functions. Every name in it, those of subgraphs
        included, gets the same fresh prefix, so scopes stay what they were.
        """
        prefix = self._new("inlined") + "_"
        names = dict(zip((value.name for value in model.graph.input), inputs, strict=True))
        copied = onnx.GraphProto()
        copied.CopyFrom(model.graph)
        _rename(copied, prefix, names)
        self._nodes.extend(copied.node)
        self._tensors.extend(copied.initializer)
        return tuple(value.name for value in copied.output)

    def inputs_read(self, values: Iterable[str]) -> set[str]:
        """Which of the inputs these values depend on."""
        wanted = set(values)
        _, read = _needed(self._nodes, wanted)
        return {value.name for value in self._inputs} & (read | wanted)

    def upstream(self, values: Iterable[str]) -> frozenset[str]:
        """Names of the nodes that these values are made by."""
        nodes, _ = _needed(self._nodes, set(values))
        return frozenset(node.name for node in nodes if node.name)

    def to_bytes(
        self,
        outputs: Mapping[str, tuple[str, str, Sequence[int | None]]],
        inputs: Collection[str] | None = None,
    ) -> bytes:
        """Finish: `outputs` maps each output's name to (value, dtype, shape), in order.

        inputs: those to keep, at least all that are read; by default every one. The graph is checked,
        shapes included, and serialised deterministically. Raises ConversionError when it is not valid
        ONNX.
        """
        last = [
            helper.make_node("Identity", [value], [name], name=f"node_{name}")
            for name, (value, _, _) in outputs.items()
        ]
        nodes, read = _needed([*self._nodes, *last], set(outputs))
        nodes = _without_last_identities(nodes, {value for value, _, _ in outputs.values()})
        given = [value for value in self._inputs if inputs is None or value.name in inputs]
        raw: bytes = self._model(nodes, read, given, outputs).SerializeToString(deterministic=True)
        return_freed_memory()  # the model; checking it makes another
        with translated("the converted graph is not valid ONNX"):
            onnx.checker.check_model(raw, full_check=True)  # bytes: a model would be serialised again
        return raw

    def _model(
        self,
        nodes: Sequence[Any],
        read: set[str],
        inputs: Sequence[Any],
        outputs: Mapping[str, tuple[str, str, Sequence[int | None]]],
    ) -> Any:
        """The model itself, filled in place: `helper` would copy every tree once more."""
        model = helper.make_model(
            onnx.GraphProto(name="model"), opset_imports=self._imports(), producer_name="edge-runtime"
        )
        model.ir_version = self.ir_version
        model.graph.node.extend(nodes)
        model.graph.input.extend(inputs)
        model.graph.output.extend(
            _value_info(name, dtype, shape) for name, (_, dtype, shape) in outputs.items()
        )
        model.graph.initializer.extend(tensor for tensor in self._tensors if tensor.name in read)
        return model

    def _new(self, kind: str) -> str:
        self._count += 1
        return self._unreserved(f"{kind.lower()}_{self._count}")

    def _unreserved(self, name: str) -> str:
        """A name like this one that no input and no output has."""
        while name in self._reserved:
            name += "_"
        return name


def _value_info(name: str, dtype: str, shape: Sequence[int | None]) -> Any:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    sizes = ["batch" if size is None else size for size in shape]
    return helper.make_tensor_value_info(name, kind, sizes)


def _rename(graph: Any, prefix: str, names: Mapping[str, str]) -> None:
    """Give every name of a graph and its subgraphs the prefix, except those in `names`."""

    def renamed(name: str) -> str:
        return names.get(name, prefix + name) if name else ""  # "" is an omitted optional input

    for node in graph.node:
        node.name = prefix + node.name if node.name else ""
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                _rename(inner, prefix, names)
    for tensor in (*graph.initializer, *graph.input, *graph.output, *graph.value_info):
        tensor.name = renamed(tensor.name)


def _reads(nodes: Iterable[Any]) -> Iterator[str]:
    """Every value that nodes read, those captured by subgraphs included."""
    for node in nodes:
        yield from node.input
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _reads(inner.node)


def _needed(nodes: Sequence[Any], wanted: set[str]) -> tuple[list[Any], set[str]]:
    """The nodes (given in order) that outputs depend on, and every value those read."""
    kept, wanted = [], set(wanted)
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(_reads([node]))
            kept.append(node)
    return kept[::-1], wanted


def _without_last_identities(nodes: list[Any], finals: set[str]) -> list[Any]:
    """Name a produced value after the output it becomes where possible: an Identity costs time."""
    producers = {output: i for i, node in enumerate(nodes) for output in node.output}
    read = Counter(_reads(nodes))
    kept = list(nodes)
    for node in nodes:
        value = node.input[0] if node.op_type == "Identity" and node.input else ""
        if value in finals and value in producers and read[value] == 1:
            producer = onnx.NodeProto()
            producer.CopyFrom(kept[producers[value]])
            producer.output[list(producer.output).index(value)] = node.output[0]
            kept[producers[value]] = producer
            kept[producers[node.output[0]]] = None
    return [node for node in kept if node is not None]
