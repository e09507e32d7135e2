"""What float16 does to a network's numbers, shown on a CPU.

ONNX Runtime has few float16 kernels for CPUs. It computes in float32 instead and takes out the Casts
between, so that what TensorRT rounds it does not, and what is infinite there is not here. A graph made
here is told to round.
"""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, shape_inference

from converter.quantization.editing import Edited
from converter.quantization.layers import MOVERS

_FLOAT, _HALF = TensorProto.FLOAT, TensorProto.FLOAT16
_SPLITTER = np.float32(2**13 + 1)  # leaves 11 of 24 bits, as float16 has
_LARGEST = np.float32(np.finfo(np.float16).max)


def with_rounding(raw: bytes) -> bytes:
    """The graph of `half`, rounded to float16 wherever it says so, for parity in ONNX Runtime.

    Each value that a node gives in float16 is rounded, and infinite beyond 65,504; TensorRT rounds less
    often, where it fuses nodes. Numbers below 2^-14 keep bits that float16 lacks: 2^-25 at most.
    """
    model = onnx.load_from_string(raw)
    inferred = shape_inference.infer_shapes(model).graph
    halves = {value.name for value in inferred.value_info if value.type.tensor_type.elem_type == _HALF}
    edited = Edited(model)
    constants = [
        edited.constant(np.array(each, np.float32), name)
        for each, name in ((_SPLITTER, "splitter"), (_LARGEST, "largest"), (np.inf, "infinite"))
    ]
    nodes: list[Any] = []
    for node in model.graph.node:
        copied = onnx.NodeProto()
        copied.CopyFrom(node)
        nodes.append(copied)
        for at, name in enumerate(node.output):
            if name in halves and node.op_type not in MOVERS:
                copied.output[at] = edited.fresh(f"{name}_unrounded")
                nodes += _rounding(copied.output[at], name, constants, edited)
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    model.graph.ClearField("value_info")
    made: bytes = model.SerializeToString(deterministic=True)
    onnx.checker.check_model(made, full_check=True)
    return made


def _rounding(given: str, made: str, constants: list[str], edited: Edited) -> list[Any]:
    """Veltkamp's splitting: with c = x · (2^13 + 1), c - (c - x) is x to 11 bits (Dekker, 1971)."""
    splitter, largest, infinite = constants
    wide, scaled, rest, short, size, beyond, vast, final = (
        edited.fresh(f"{made}_{what}")
        for what in ("wide", "scaled", "rest", "short", "size", "beyond", "vast", "final")
    )
    nodes = [
        helper.make_node("Cast", [given], [wide], to=_FLOAT),
        helper.make_node("Mul", [wide, splitter], [scaled]),
        helper.make_node("Sub", [scaled, wide], [rest]),
        helper.make_node("Sub", [scaled, rest], [short]),
        helper.make_node("Abs", [short], [size]),
        helper.make_node("Greater", [size, largest], [beyond]),
        helper.make_node("Mul", [short, infinite], [vast]),
        helper.make_node("Where", [beyond, vast, short], [final]),
        helper.make_node("Cast", [final], [made], to=_HALF),
    ]
    for node in nodes:
        node.name = edited.fresh(f"{made}_{node.op_type}")
    return nodes
