"""A checked ONNX model without what a device does not need, and with tensors as its only outputs."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from converter.frontends.onnx.walking import graphs_of
from edge_runtime.errors import UnsupportedModelError

_ZIP_MAP = "ZipMap"
_CONSTANTS_ARE_NO_INPUTS = 4  # the IR version since which
_LABELS = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")


@dataclass(frozen=True)
class Cleaned:
    """proto: the model; its inputs are asked for, its outputs are tensors, in the file's order.

    zipped: by the name that an output has in the file, the classes of a ZipMap that was taken off; the
    output is the tensor that it was made of.
    """

    proto: Any
    zipped: dict[str, NDArray[Any]]
    outputs: tuple[str, ...]


def clean(model: Any, subject: str) -> Cleaned:
    """Take off, in place, what is only for people and other programs. Raises UnsupportedModelError.

    Gone are texts, metadata and annotations; inputs that have a value; maps that ZipMap makes of a row
    of probabilities. Constant nodes become initializers. Nodes that nothing needs are left to
    `named_by_place`.
    """
    for field in ("metadata_props", "doc_string", "producer_name", "producer_version", "domain",
                  "model_version", "functions"):  # fmt: skip
        model.ClearField(field)
    model.ir_version = max(model.ir_version, _CONSTANTS_ARE_NO_INPUTS)
    for graph in graphs_of(model.graph):
        _without_texts(graph)
    outputs = tuple(value.name for value in model.graph.output)
    zipped = _unzipped(model.graph)
    for value in model.graph.output:
        if not value.type.HasField("tensor_type"):
            raise UnsupportedModelError(
                f"{subject}: expected outputs that are tensors, found {value.name[:100]!r}, a "
                f"{(value.type.WhichOneof('value') or 'value').removesuffix('_type')}. Export the "
                "model with tensors as its outputs."
            )
    _lift_constants(model.graph)
    fixed = {tensor.name for tensor in model.graph.initializer}
    _keep(model.graph, "input", (each for each in model.graph.input if each.name not in fixed))
    return Cleaned(model, zipped, outputs)


def classes_in(node: Any) -> NDArray[Any] | None:
    """The classes that a node of ai.onnx.ml names, int64 or object (k,); None where it names none."""
    for attribute in node.attribute:
        if attribute.name in _LABELS and (len(attribute.strings) or len(attribute.ints)):
            if attribute.strings:
                return np.array([text.decode() for text in attribute.strings], dtype=object)
            return np.array(attribute.ints, dtype=np.int64)
    return None


def _without_texts(graph: Any) -> None:
    for field in ("doc_string", "metadata_props", "quantization_annotation", "value_info"):
        graph.ClearField(field)
    for message in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        message.ClearField("doc_string")
        message.ClearField("metadata_props")
    for node in graph.node:
        for attribute in node.attribute:
            attribute.ClearField("doc_string")


def _unzipped(graph: Any) -> dict[str, NDArray[Any]]:
    """Outputs of ZipMap become what it was made of; its classes by the output's name."""
    makers = {node.output[0]: node for node in graph.node if node.op_type == _ZIP_MAP}
    zipped = {}
    for value in graph.output:
        if (node := makers.get(value.name)) is None or (known := classes_in(node)) is None:
            continue
        zipped[value.name] = known
        value.CopyFrom(helper.make_tensor_value_info(node.input[0], onnx.TensorProto.FLOAT, None))
    _keep(
        graph,
        "node",
        (node for node in graph.node if node.op_type != _ZIP_MAP or node.output[0] not in zipped),
    )
    return zipped


def _lift_constants(graph: Any) -> None:
    """Constant nodes as initializers: whoever looks at a graph finds its numbers in one place."""
    made = {}
    for node in graph.node:
        if node.op_type == "Constant" and not node.domain and (tensor := _tensor(node)) is not None:
            tensor.name = node.output[0]
            made[tensor.name] = tensor
    _keep(graph, "node", (node for node in graph.node if not (node.output and node.output[0] in made)))
    graph.initializer.extend(made.values())


def _tensor(node: Any) -> Any:
    """The value of a Constant node; None for a sparse one."""
    (attribute,) = node.attribute
    value = helper.get_attribute_value(attribute)
    if attribute.name == "value":
        return _copy(value)
    kinds = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64,
             "value_ints": np.int64, "value_string": object, "value_strings": object}  # fmt: skip
    if attribute.name not in kinds:
        return None
    return numpy_helper.from_array(np.array(value, dtype=kinds[attribute.name]))


def _keep(graph: Any, field: str, messages: Iterable[Any]) -> None:
    kept = [_copy(each) for each in messages]
    graph.ClearField(field)
    getattr(graph, field).extend(kept)


def _copy(message: Any) -> Any:
    copied = type(message)()
    copied.CopyFrom(message)
    return copied
