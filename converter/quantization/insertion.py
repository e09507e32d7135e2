"""Puts QuantizeLinear and DequantizeLinear into a graph."""

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from converter.quantization.editing import Edited
from converter.quantization.flavours import (
    Flavour,
    Scale,
    rounded,
    scale_of,
    weight_scales,
    with_room_for,
)
from converter.quantization.layers import MOVERS, RECTIFIERS, activations, weight_axis
from converter.quantization.ranges import Range
from converter.quantization.wiring import attributes, is_float32, is_standard
from edge_runtime.errors import ConversionError

_INT32 = 2**31 - 1


class Insertion:
    """One graph being quantized.

    layers, followers: names of the nodes that compute in eight bits.
    """

    def __init__(
        self, model: Any, flavour: Flavour, layers: Collection[str], followers: Collection[str]
    ) -> None:
        self._edited = Edited(model)
        self._wiring = self._edited.wiring  # as it was in float
        self._flavour = flavour
        self._layers = frozenset(layers)
        self._inside = self._layers | frozenset(followers)
        self._scales: dict[str, tuple[Scale, str, str]] = {}  # with the names of the two constants
        self._weights: dict[tuple[str, int, bytes], str] = {}

    def run(self, scale_for: Callable[[str], Scale]) -> Any:
        """The quantized model. `scale_for` gives the scale of a value of the float graph."""
        model, wiring = self._edited.model, self._wiring
        values = [value.name for value in model.graph.input]
        values += [name for node in model.graph.node for name in node.output]
        pairs = {name: self._pair(name, scale_for) for name in values if self._is_quantized(name)}
        nodes = [each for value in model.graph.input for each in pairs.get(value.name, ())]
        for node in model.graph.node:
            made = onnx.NodeProto()
            made.CopyFrom(node)
            nodes.extend(self._weighted(node, made) if node.name in self._layers else ())
            nodes.extend(self._addend(node, made))
            for at, name in enumerate(node.input):
                if name in pairs and self._reads_quantized(node, wiring.makers.get(name)):
                    made.input[at] = pairs[name][1].output[0]
            nodes.append(made)
            nodes.extend(each for name in node.output for each in pairs.get(name, ()))
        model.graph.ClearField("node")
        model.graph.node.extend(nodes)
        self._edited.changed()
        self._edited.forget_unread()
        return model

    def _is_quantized(self, name: str) -> bool:
        """Whether a value gets a pair."""
        wiring = self._wiring
        readers = [node for node in wiring.readers.get(name, ()) if name in activations(node, wiring)]
        if not self._flavour.keeps:
            return any(node.name in self._layers for node in readers)
        maker, only = wiring.makers.get(name), wiring.only_reader(name)
        is_made = maker is not None and maker.name in self._inside
        if is_made and only is not None and only.name in self._inside and _is_rectifier(only):
            return False  # the engine makes them one
        if any(node.name in self._inside for node in readers):
            return True
        # A convolution computes in integers only if its output is quantized as well.
        return is_made and name not in wiring.outputs and bool(readers) and self._is_convolved(maker)

    def _is_convolved(self, maker: Any) -> bool:
        if _is_rectifier(maker):
            maker = self._wiring.makers.get(maker.input[0])
        return maker is not None and maker.name in self._layers and is_standard(maker, "Conv")

    def _reads_quantized(self, node: Any, maker: Any) -> bool:
        """Whether a node reads what is left of a value after rounding, or the float it was made from.

        A second reader would keep a layer's output in float, so whatever reads what a layer made reads
        it quantized. What was float before, the node that looks for NaN reads as it was.
        """
        if not self._flavour.keeps:
            return node.name in self._layers or (
                node.name in self._inside and is_standard(node, "Add", "Concat")
            )
        return node.name in self._inside or (maker is not None and maker.name in self._inside)

    def _pair(self, name: str, scale_for: Callable[[str], Scale]) -> tuple[Any, Any]:
        """The two nodes behind a value; one that only moved has the scale of what it was moved from."""
        maker: Any = self._wiring.makers.get(name)
        moves = maker is not None and maker.op_type in MOVERS and maker.name in self._inside
        if moves and maker.input[0] in self._scales:
            self._scales[name] = self._scales[maker.input[0]]
        else:
            self._scales[name] = self._constants(name, scale_for(name))
        _, scale, zero_point = self._scales[name]
        quantized, back = (self._edited.fresh(f"{name}_{word}") for word in ("quantized", "dequantized"))
        return (
            _node("QuantizeLinear", [name, scale, zero_point], quantized),
            _node("DequantizeLinear", [quantized, scale, zero_point], back),
        )

    def _constants(self, name: str, scale: Scale) -> tuple[Scale, str, str]:
        zero_point = np.array(scale.zero_point, self._flavour.dtype)
        return (
            scale,
            self._edited.constant(np.array(scale.scale), f"{name}_scale"),
            self._edited.constant(zero_point, f"{name}_zero_point"),
        )

    def _addend(self, node: Any, made: Any) -> Iterator[Any]:
        """The constant beside an addition that computes in eight bits, rounded as well."""
        if not (self._flavour.keeps and node.name in self._inside and is_standard(node, "Add")):
            return
        for at, name in enumerate(node.input):
            array = self._wiring.array(name)
            if array is not None:
                around_0 = Range(min(float(array.min()), 0.0), max(float(array.max()), 0.0))
                scale = scale_of(around_0, self._flavour)
                steps = np.rint(array / scale.scale) + scale.zero_point
                limits = np.iinfo(self._flavour.dtype)
                stored = np.clip(steps, limits.min, limits.max).astype(self._flavour.dtype)
                _, *constants = self._constants(f"{made.output[0]}_addend", scale)
                made.input[at] = yield from self._stored(f"{made.output[0]}_addend", stored, constants)

    def _weighted(self, node: Any, made: Any) -> Iterator[Any]:
        """The weight and, for integer kernels, the bias of a layer; `made` reads the rounded ones."""
        weight = self._wiring.array(node.input[1])
        if weight is None or not is_float32(weight):
            raise ConversionError(
                f"quantization: node {node.name!r}: expected a weight that is a constant of float32, "
                f"found {node.input[1]!r}. Give the graph that `fused` made."
            )
        axis = weight_axis(node)
        scales = weight_scales(weight, axis, self._flavour)
        bias = self._bias_of(node, len(scales))
        if bias is not None:
            step, _, _ = self._scales[node.input[0]]
            scales = with_room_for(bias, scales, step.scale)
            made.input[2] = yield from self._bias(node, bias, scales * step.scale)
        key = (node.input[1], axis, scales.tobytes())
        if key not in self._weights:
            stored = rounded(weight, scales, axis, np.int8, self._flavour.weight_limit)
            name = node.input[1]
            constants = (
                self._edited.constant(scales, f"{name}_scale"),
                self._edited.constant(np.zeros(len(scales), np.int8), f"{name}_zero_point"),
            )
            self._weights[key] = yield from self._stored(name, stored, constants, axis=axis)
        made.input[1] = self._weights[key]

    def _bias_of(self, node: Any, count: int) -> NDArray[np.float32] | None:
        """A bias that is to be rounded, (outputs,); None where there is none, or it stays in float."""
        name = node.input[2] if len(node.input) > 2 else ""
        array = self._wiring.array(name) if self._flavour.rounds_bias else None
        given = attributes(node)
        is_plain = (given.get("alpha", 1.0), given.get("beta", 1.0)) == (1.0, 1.0)
        if array is None or not is_float32(array) or array.shape != (count,) or not is_plain:
            return None
        return array

    def _bias(
        self, node: Any, bias: NDArray[np.float32], scales: NDArray[np.float32]
    ) -> Generator[Any, None, str]:
        stored = rounded(bias, scales, 0, np.int32, _INT32)
        name = f"{node.output[0]}_bias"
        constants = (
            self._edited.constant(scales, f"{name}_scale"),
            self._edited.constant(np.zeros(len(scales), np.int32), f"{name}_zero_point"),
        )
        return (yield from self._stored(name, stored, constants, axis=0))

    def _stored(
        self, name: str, stored: NDArray[Any], constants: Sequence[str], **axis: int
    ) -> Generator[Any, None, str]:
        """Whole numbers as a constant, and the node that makes floats of them; returns those."""
        kept = self._edited.constant(stored, f"{name}_quantized")
        back = self._edited.fresh(f"{name}_dequantized")
        yield _node("DequantizeLinear", [kept, *constants], back, **axis)
        return back


def _is_rectifier(node: Any) -> bool:
    return is_standard(node, *RECTIFIERS)


def _node(operator: str, inputs: list[str], output: str, **attributes: Any) -> Any:
    return helper.make_node(operator, inputs, [output], name=f"node_{output}", **attributes)
