"""A graph in two: what needs texts or float64, for ONNX Runtime on the CPU, and the rest for TensorRT.

The first part, the host's, is small: vocabularies looked up, float64 rows rounded. Its outputs are
numbers, and inputs of the second part beside those inputs of the model that only the second part reads.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import TensorProto, helper, shape_inference

from converter.standard.narrowing import opsets_used
from edge_runtime.errors import UnsupportedModelError

_NOT_THERE = {TensorProto.STRING, TensorProto.DOUBLE}  # dtypes that TensorRT lacks


@dataclass(frozen=True)
class Split:
    """host: the first part, b"" where there is none. main: what TensorRT is given."""

    host: bytes
    main: bytes


def split(raw: bytes) -> Split:
    """Cut a graph. Raises UnsupportedModelError where nothing is left for TensorRT."""
    model = onnx.load_from_string(raw)
    inferred = shape_inference.infer_shapes(model, data_prop=True).graph
    known = {value.name: value for value in (*inferred.input, *inferred.value_info, *inferred.output)}
    host = _host_nodes(model.graph.node, known)
    if not host:
        return Split(b"", raw)
    rest = [node for at, node in enumerate(model.graph.node) if at not in host]
    first = [model.graph.node[at] for at in sorted(host)]
    if not any(node.op_type != "Identity" for node in rest):
        raise UnsupportedModelError(
            "all of it reads texts or float64, and TensorRT has neither: nothing is left for it."
        )
    read = {name for node in rest for name in node.input} | {value.name for value in model.graph.output}
    made = [name for node in first for name in node.output if name in read]
    finals = [value.name for value in model.graph.output]
    names = {name: name if name not in finals else f"{name}_from_host" for name in made}
    crossing = [_crossing(known[name], names[name]) for name in made]
    first = [_renamed(node, names) for node in first]
    rest = [_renamed(node, names) for node in rest]
    rest += [helper.make_node("Identity", [names[name]], [name], name=f"node_{name}")
             for name in made if name in finals]  # fmt: skip
    return Split(
        host=_part(model, first, model.graph.input, crossing),
        main=_part(model, rest, [*model.graph.input, *crossing], model.graph.output),
    )


def _host_nodes(nodes: Any, known: dict[str, Any]) -> set[int]:
    """Places of nodes that read or write what TensorRT lacks, and of all nodes in front of those."""

    def is_there(name: str) -> bool:
        value = known.get(name)
        return value is None or value.type.tensor_type.elem_type not in _NOT_THERE

    found: set[int] = set()
    wanted: set[str] = set()
    for at in range(len(nodes) - 1, -1, -1):
        node = nodes[at]
        lacks = node.domain or not all(is_there(name) for name in (*node.input, *node.output))
        if lacks or wanted.intersection(node.output):
            found.add(at)
            wanted.update(node.input)
    return found


def _crossing(value: Any, name: str) -> Any:
    """A value that goes from one part to the other; its first axis is the batch."""
    kind = value.type.tensor_type
    sizes = [each.dim_value if each.HasField("dim_value") else "batch" for each in kind.shape.dim]
    return helper.make_tensor_value_info(name, kind.elem_type, sizes)


def _renamed(node: Any, names: dict[str, str]) -> Any:
    made = onnx.NodeProto()
    made.CopyFrom(node)
    made.input[:] = [names.get(name, name) for name in node.input]
    made.output[:] = [names.get(name, name) for name in node.output]
    return made


def _part(model: Any, nodes: list[Any], inputs: Iterable[Any], outputs: Iterable[Any]) -> bytes:
    read = {name for node in nodes for name in node.input}
    part = onnx.ModelProto()
    part.ir_version, part.producer_name = model.ir_version, model.producer_name
    part.opset_import.extend(model.opset_import)
    part.graph.name = model.graph.name
    part.graph.node.extend(nodes)
    part.graph.input.extend(value for value in inputs if value.name in read)
    part.graph.output.extend(outputs)
    part.graph.initializer.extend(each for each in model.graph.initializer if each.name in read)
    opsets_used(part)
    raw: bytes = part.SerializeToString(deterministic=True)
    onnx.checker.check_model(raw, full_check=True)
    return raw
