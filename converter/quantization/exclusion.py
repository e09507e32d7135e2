"""Which layers lose most by being quantized."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

from converter.quantization.editing import Edited
from converter.quantization.running import Feed, answers
from converter.quantization.wiring import Wiring, is_rounded, is_standard, wired


def sensitive(
    raw: bytes, raw_quantized: bytes, feeds: Sequence[Feed], layers: Collection[str]
) -> tuple[str, ...]:
    """The layers by how much noise each adds to its own output, in parts of it; the worst first.

    raw, raw_quantized: a float32 graph and what was made of it. feeds: batches of calibration data.
    layers: names of nodes; those that are not quantized are left out. Every layer is given the numbers
    of the float graph, so none answers for the noise of those in front of it. Only sums leave the graph,
    two for each layer, however large the data are. Raises ConversionError where it cannot be run.
    """
    edited = Edited(onnx.load_from_string(raw))
    quantized = wired(onnx.load_from_string(raw_quantized))
    sums = dict(_measured(edited, quantized, frozenset(layers)))
    if not sums:
        return ()
    totals = dict.fromkeys((name for pair in sums.values() for name in pair), 0.0)
    for found in answers(edited.model, list(totals), feeds):
        for name, array in found.items():
            totals[name] += float(array)
    shares = {
        layer: totals[noise] / totals[signal] if totals[signal] else 0.0
        for layer, (noise, signal) in sums.items()
    }
    return tuple(sorted(shares, key=lambda layer: -shares[layer]))


def _measured(
    edited: Edited, quantized: Wiring, layers: Collection[str]
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Add to the float graph, beside each layer, the quantized one.

    Gives each layer's name, and the names of the sums of squares of its noise and of its output.
    """
    counterparts = {
        node.name: node
        for readers in quantized.readers.values()
        for node in readers
        if node.name in layers and is_rounded(node, quantized)
    }
    beside = _Beside(edited, quantized)
    for node in list(edited.model.graph.node):
        if node.name in counterparts:
            rounded = beside.copied(counterparts[node.name], node.input[0])
            noise = beside.node("Sub", rounded, node.output[0])
            yield node.name, (beside.energy(noise), beside.energy(node.output[0]))


class _Beside:
    """Adds nodes to a float graph, copies from a quantized one among them."""

    def __init__(self, edited: Edited, quantized: Wiring) -> None:
        self._edited = edited
        self._quantized = quantized

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        output = self._edited.fresh(f"{inputs[0]}_{operator.lower()}")
        made = helper.make_node(operator, list(inputs), [output], **attributes)
        self._edited.model.graph.node.append(made)
        return output

    def energy(self, value: str) -> str:
        """The sum of squares of all numbers of a value, a scalar."""
        return self.node("ReduceSum", self.node("Mul", value, value), keepdims=0)

    def copied(self, node: Any, given: str) -> str:
        """The output of a quantized layer, computed from `given` in place of what it reads."""
        made = onnx.NodeProto()
        made.CopyFrom(node)
        made.name = ""
        made.input[:] = [
            self._operand(name, given if at == 0 else "") for at, name in enumerate(node.input)
        ]
        made.output[0] = self._edited.fresh(f"{node.output[0]}_rounded")
        self._edited.model.graph.node.append(made)
        return str(made.output[0])

    def _operand(self, name: str, given: str) -> str:
        """A value of the quantized graph: rounded from `given`, or a constant."""
        maker = self._quantized.makers.get(name)
        if maker is None or not is_standard(maker, "DequantizeLinear", "QuantizeLinear"):
            return given or self._constant(name)
        inner = self._operand(maker.input[0], given)
        made = onnx.NodeProto()
        made.CopyFrom(maker)
        made.name = ""
        made.input[:] = [inner, *(self._constant(each) for each in maker.input[1:])]
        made.output[0] = self._edited.fresh(f"{maker.output[0]}_beside")
        self._edited.model.graph.node.append(made)
        return str(made.output[0])

    def _constant(self, name: str) -> str:
        array = self._quantized.array(name)
        return self._edited.constant(np.asarray(array), f"{name}_beside") if name else ""
