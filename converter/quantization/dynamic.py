"""Dynamic quantization: weights in int8, activations as the numbers of each call have it.

Nothing is calibrated. Each layer measures what it is given at each call, which takes time of its own: it
pays where weights are many and rows few. The rows of a call share one scale, so that an answer depends,
within a step, on the rows beside it.
"""

from collections.abc import Collection
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from converter.quantization.editing import Edited
from converter.quantization.layers import layers
from converter.quantization.wiring import attributes, is_float32, is_standard
from edge_runtime.errors import ConversionError

_MICROSOFT = "com.microsoft"
_FEWEST = 64  # weights; measuring the activations of a smaller layer takes longer than multiplying them
# Seven bits. CPUs without VNNI add two products of uint8 and int8 in int16, which 127 · 255 · 2 does not
# fit: they would answer other than the machine on which parity was proved.
_LARGEST = 64
_HANDED_ON = ("activation_alpha", "activation_beta", "activations", "clip", "direction", "hidden_size",
              "input_forget")  # fmt: skip


def dynamic(raw: bytes, preprocessing: Collection[str] = frozenset()) -> bytes:
    """The graph with dynamically quantized MatMul, Gemm and LSTM, those of 64 constant weights or more.

    preprocessing: names of nodes that stay as they are. Convolutions do: ONNX Runtime takes 10 to 16
    times as long for dynamically quantized ones. LSTM becomes DynamicQuantizeLSTM, which is ONNX
    Runtime's own operator. The bytes depend on what is given only.

    Raises ConversionError where there is no such layer.
    """
    model = onnx.load_from_string(raw)
    edited = Edited(model, preprocessing)
    products = set(layers(model, preprocessing))
    integers = _Products(edited)
    nodes: list[Any] = []
    for node in list(model.graph.node):
        made = None
        if node.name in products and is_standard(node, "MatMul", "Gemm"):
            made = integers.add(node)
        elif is_standard(node, "LSTM") and edited.may_change(node):
            made = _recurrent(node, edited)
        nodes.extend([node] if made is None else made)
    if nodes == list(model.graph.node):
        raise ConversionError(
            f"dynamic: expected a MatMul, Gemm or LSTM of {_FEWEST} constant weights or more outside of "
            "preprocessing, found none. Ship the model as it is."
        )
    return _finished(edited, nodes)


def _finished(edited: Edited, nodes: list[Any]) -> bytes:
    graph, model = edited.model.graph, edited.model
    kept = [_copy(node) for node in nodes]  # they are the graph's own until it is emptied
    graph.ClearField("node")
    graph.node.extend(kept)
    edited.changed()
    edited.forget_unread()
    domains = {each.domain for each in model.opset_import}
    if any(node.domain == _MICROSOFT for node in kept) and _MICROSOFT not in domains:
        model.opset_import.append(helper.make_opsetid(_MICROSOFT, 1))
    raw: bytes = model.SerializeToString(deterministic=True)
    onnx.checker.check_model(raw)
    return raw


class _Products:
    """MatMul and Gemm in integers. What several read, weights or activations, is quantized once."""

    def __init__(self, edited: Edited) -> None:
        self._edited = edited
        self._weights: dict[tuple[str, int], tuple[str, str]] = {}
        self._given: dict[str, tuple[str, str, str]] = {}

    def add(self, node: Any) -> list[Any] | None:
        """What computes a node; None where it is small or scales its result.

        ONNX Runtime makes the first five nodes one where nothing else reads the first.
        """
        options = attributes(node)
        weight = self._edited.wiring.array(node.input[1])
        if not _is_large(weight) or {options.get("alpha", 1.0), options.get("beta", 1.0)} != {1.0}:
            return None
        made: list[Any] = []
        given, step, zero = self._quantized_input(node, made)
        weights, scales = self._quantized_weight(node, options.get("transB", 0))
        whole, sums, steps = (self._named(node, what) for what in ("whole", "sums", "steps"))
        bias = node.input[2] if len(node.input) > 2 else ""
        last = self._named(node, "product") if bias else node.output[0]
        made += [
            helper.make_node("MatMulInteger", [given, weights, zero], [whole]),
            helper.make_node("Cast", [whole], [sums], to=TensorProto.FLOAT),
            helper.make_node("Mul", [step, scales], [steps]),
            helper.make_node("Mul", [sums, steps], [last]),
        ]
        if bias:
            made.append(helper.make_node("Add", [last, bias], [node.output[0]]))
        for each in made:
            each.name = self._named(node, each.op_type)
        return made

    def _named(self, node: Any, what: str) -> str:
        return self._edited.fresh(f"{node.name}_{what}")

    def _quantized_input(self, node: Any, made: list[Any]) -> tuple[str, str, str]:
        """Codes, step and zero of what a node is given."""
        name = node.input[0]
        if name not in self._given:
            codes, step, zero = (self._named(node, what) for what in ("codes", "step", "zero"))
            self._given[name] = codes, step, zero
            made.append(helper.make_node("DynamicQuantizeLinear", [name], [codes, step, zero]))
        return self._given[name]

    def _quantized_weight(self, node: Any, is_turned: int) -> tuple[str, str]:
        """Codes (inputs, outputs) and scales (outputs,) of a node's weight."""
        key = node.input[1], is_turned
        if key not in self._weights:
            weight = self._edited.wiring.array(node.input[1])
            assert weight is not None
            codes, scale = _quantized(weight if is_turned else weight.T)
            self._weights[key] = (
                self._edited.constant(np.ascontiguousarray(codes.T), f"{node.name}_weights"),
                self._edited.constant(scale, f"{node.name}_scales"),
            )
        return self._weights[key]


def _recurrent(node: Any, edited: Edited) -> list[Any] | None:
    """ONNX Runtime's own LSTM in integers; None where weights are few or no constants."""
    weights = [edited.wiring.array(name) for name in node.input[1:3]]
    if not all(_is_large(weight) for weight in weights) or attributes(node).get("layout", 0):
        return None
    given = [*node.input, *[""] * (8 - len(node.input))]
    rest: list[str] = []
    for at, (weight, what) in enumerate(zip(weights, ("input", "state"), strict=True), start=1):
        assert weight is not None
        codes, scale = _quantized(weight)  # (directions, 4 · hidden, inputs) and one scale a row
        turned = np.ascontiguousarray(codes.transpose(0, 2, 1))
        given[at] = edited.constant(turned, f"{node.name}_{what}_weights")
        rest.append(edited.constant(scale, f"{node.name}_{what}_scales"))
        rest.append(edited.constant(np.zeros(scale.shape, np.int8), f"{node.name}_{what}_zeros"))
    options = {key: value for key, value in attributes(node).items() if key in _HANDED_ON}
    return [
        helper.make_node(
            "DynamicQuantizeLSTM",
            [*given, *rest],
            list(node.output),
            name=edited.fresh(f"{node.name}_quantized"),
            domain=_MICROSOFT,
            **options,
        )
    ]


def _is_large(weight: NDArray[Any] | None) -> bool:
    if weight is None or not is_float32(weight) or weight.size < _FEWEST:
        return False
    return bool(np.isfinite(weight).all())


def _quantized(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Codes of the weight, and one scale for each of its rows; axes before are kept."""
    largest = np.abs(weight).max(axis=-1, keepdims=True)
    scale = np.where(largest > 0, largest / np.float32(_LARGEST), 1).astype(np.float32)
    codes = np.clip(np.rint(weight / scale), -_LARGEST, _LARGEST).astype(np.int8)
    return codes, scale[..., 0]


def _copy(node: Any) -> Any:
    made = onnx.NodeProto()
    made.CopyFrom(node)
    return made
