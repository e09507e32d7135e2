"""The batch of a model made free, and its other sizes those of the inputs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import numpy_helper

from converter.foreign import told
from converter.frontends.onnx.ports import Port, batch_of
from converter.frontends.onnx.running import Feeds, Running
from edge_runtime.errors import UnsupportedModelError

_BATCH = "batch"
_MAX_NAME = 40


def freed(
    model: Any,
    ports: Sequence[Port],
    first: Feeds,
    outputs: Sequence[NDArray[Any]],
    subject: str,
) -> None:
    """Give the model, in place, a batch of any size.

    first: two of its inputs, to try it with. outputs: what the file answers to them. Exporters that see
    one example write its batch into shapes of Reshape; where one row and two cannot be asked about,
    these are made to follow the batch. Raises UnsupportedModelError where that is not enough.
    """
    for value in model.graph.input:
        _set_sizes(value, first[value.name].shape[1:])
    for output, found in zip(model.graph.output, outputs, strict=True):
        _set_sizes(output, found.shape[1:])
    batch = batch_of(ports) or 1
    if not _trouble(model, first):
        return
    _free_reshapes(model, batch)
    if why := _trouble(model, first):
        raise UnsupportedModelError(
            f"{subject}: expected a batch of any size, found one of {batch} built in: {why} "
            "Export the model with a dynamic first axis."
        )


def fixed_sizes(ports: Sequence[Port], given: Feeds) -> str:
    """Sizes that the file leaves open and the inputs fix, such as `length 100, width 3`; "" for none."""
    pairs = [
        pair for port in ports for pair in zip(port.sizes[1:], given[port.name].shape[1:], strict=True)
    ]
    fixed = {name: size for name, size in pairs if isinstance(name, str)}
    return ", ".join(f"{_printable(name)} {size}" for name, size in fixed.items())


def _printable(name: str) -> str:
    return "".join(each for each in name if each.isprintable())[:_MAX_NAME]


def _set_sizes(value: Any, sizes: tuple[int, ...]) -> None:
    shape = value.type.tensor_type.shape
    shape.ClearField("dim")
    shape.dim.add().dim_param = _BATCH
    for size in sizes:
        shape.dim.add().dim_value = size


def _trouble(model: Any, first: Feeds) -> str:
    """Why one row and two cannot be asked about; "" where they can."""
    names = [value.name for value in model.graph.output]
    try:
        running = Running(model.SerializeToString(), "the model with a free batch")
        for count in (1, 2):
            running.ask(names, {name: array[:count] for name, array in first.items()})
    except Exception as error:  # noqa: BLE001 -- ONNX Runtime's have no common base
        return f"{told(error).rstrip('.')}."
    return ""


def _free_reshapes(model: Any, batch: int) -> None:
    """Let the first size of a Reshape follow the batch where it is the example's."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for at, node in enumerate(model.graph.node):
        if node.op_type != "Reshape" or len(node.input) < 2 or node.input[1] not in constants:
            continue
        sizes = numpy_helper.to_array(constants[node.input[1]]).copy()
        has_zeros = any(each.name == "allowzero" for each in node.attribute)
        if has_zeros or not sizes.size or sizes[0] != batch:
            continue
        sizes[0] = 0 if -1 in sizes else -1  # 0: as the first size of what is reshaped
        # Of its own: another node may read the same shape.
        own = numpy_helper.from_array(np.ascontiguousarray(sizes), f"{node.input[1]}/free_{at}")
        model.graph.initializer.append(own)
        node.input[1] = own.name
