"""Static quantization: QuantizeLinear and DequantizeLinear around the layers of a float32 graph.

One calibration pass serves every method and both flavours. The pairs are put in here rather than by
onnxruntime.quantization: its QDQQuantizer has whatever reads a quantized value read the rounded one, so
that the test for NaN sees a number, and a Softmax eight bits.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx
from numpy.typing import NDArray

from converter.foreign import translated
from converter.quantization.flavours import FLAVOURS, FlavourName, Scale, scale_of
from converter.quantization.fusing import fused
from converter.quantization.insertion import Insertion
from converter.quantization.layers import activations, followers, layers
from converter.quantization.ranges import Histogram, Method
from converter.quantization.running import Feed, answers
from converter.quantization.wiring import is_rounded, wired
from edge_runtime.errors import ConversionError, InputError

__all__ = ["Observed", "fused", "observe", "quantized", "weights_ratio"]


@dataclass(frozen=True)
class Observed:
    """What calibration saw: the layers it was for, and a histogram of each value they may quantize.

    feeds: the calibration data itself.
    """

    layers: tuple[str, ...]
    histograms: Mapping[str, Histogram]
    feeds: Sequence[Feed]


def observe(raw: bytes, feeds: Sequence[Feed], nodes: Collection[str]) -> Observed:
    """Run calibration data through a float32 graph once.

    feeds: batches. nodes: the layers that may be quantized, as `layers.layers` gives them. However
    large the batches are, a few rows are run at a time. Raises InputError where there are none.
    """
    model = onnx.load_from_string(raw)
    inside = {*nodes, *followers(model, nodes)}
    wiring = wired(model)
    read = [activations(node, wiring) for node in model.graph.node if node.name in inside]
    made = [list(node.output[:1]) for node in model.graph.node if node.name in inside]
    names = list(dict.fromkeys(name for each in (*read, *made) for name in each))
    histograms = {name: Histogram() for name in names}
    seen = 0
    for found in answers(model, names, feeds):
        seen += 1
        for name, array in found.items():
            histograms[name].add(array)
    if not seen:
        raise InputError("calibration: expected inputs of training, found none. Give some.")
    return Observed(tuple(nodes), histograms, feeds)


def quantized(
    raw: bytes,
    observed: Observed,
    *,
    method: Method,
    flavour: FlavourName,
    excluded: Collection[str] = (),
) -> bytes:
    """The graph with its layers in eight bits; the same bytes in any process.

    raw: the float32 graph that was observed. excluded: layers that stay in float32. Inputs, outputs,
    operator sets and IR version stay. Raises ConversionError where no layer is left, or the graph is not
    the one that was observed.
    """
    model = onnx.load_from_string(raw)
    chosen = [name for name in observed.layers if name not in excluded]
    if not chosen:
        raise ConversionError("quantization: no layer is left to quantize. Exclude fewer.")
    kind = FLAVOURS[flavour]

    def scale_for(name: str) -> Scale:
        if name not in observed.histograms:
            raise ConversionError(
                f"quantization: value {name!r} was not observed. Give the graph that was calibrated."
            )
        return scale_of(observed.histograms[name].range(method), kind)

    changed = Insertion(model, kind, chosen, followers(model, chosen)).run(scale_for)
    made: bytes = changed.SerializeToString(deterministic=True)
    with translated("the quantized graph is not valid ONNX"):
        onnx.checker.check_model(made, full_check=True)
    return made


def weights_ratio(raw_float: bytes, raw_quantized: bytes) -> float:
    """Bytes of the quantized layers' weights, with scales and zero points, over their bytes in float32.

    raw_float: the graph that `raw_quantized` was made of. 1 where no layer is quantized.
    """
    before, after = onnx.load_from_string(raw_float), onnx.load_from_string(raw_quantized)
    floats, integers = wired(before), wired(after)
    names = set(layers(before))
    weights = {node.name: node.input[1] for node in before.graph.node if node.name in names}
    was, now = {}, {}
    for node in after.graph.node:
        if node.name in weights and is_rounded(node, integers):
            maker = integers.makers[node.input[1]]
            was[weights[node.name]] = _bytes(floats.array(weights[node.name]))
            now.update({name: _bytes(integers.array(name)) for name in maker.input})
    return sum(now.values()) / sum(was.values()) if was else 1.0


def _bytes(array: NDArray[Any] | None) -> int:
    return 0 if array is None else array.nbytes
