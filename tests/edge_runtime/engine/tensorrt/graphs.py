"""Small graphs and what a builder is asked for them."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.bundle.manifest import Profile
from edge_runtime.engine.tensorrt import library
from edge_runtime.engine.tensorrt.building import Request
from edge_runtime.engine.tensorrt.key import CLEARED, SET

FLAGS = (*(f"-{name}" for name in CLEARED), *(f"+{name}" for name in SET))
PROFILE = Profile(min_rows=1, opt_rows=4, max_rows=64)


def request(**changes: Any) -> Request:
    """To build with the library that is installed here."""
    given: dict[str, Any] = {
        "module": library.installed()[0].module,
        "capability": "8.6",
        "profile": PROFILE,
        "flags": FLAGS,
    }
    return Request(**(given | changes))


def matmul(kind: str = "fp32", shape: tuple[int | str, ...] = ("batch", 8)) -> bytes:
    """y = x @ w in one of the precisions."""
    weights = np.eye(8, 4, dtype=np.float32)
    constants = [numpy_helper.from_array(weights, "w")]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    if kind == "fp16":
        constants = [numpy_helper.from_array(weights.astype(np.float16), "w")]
        nodes = [
            helper.make_node("Cast", ["x"], ["x16"], to=TensorProto.FLOAT16),
            helper.make_node("MatMul", ["x16", "w"], ["y16"]),
            helper.make_node("Cast", ["y16"], ["y"], to=TensorProto.FLOAT),
        ]
    elif kind == "int8":
        constants += [
            numpy_helper.from_array(np.asarray(0.1, np.float32), "scale"),
            numpy_helper.from_array(np.asarray(0, np.int8), "zero"),
        ]
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["xq"]),
            helper.make_node("DequantizeLinear", ["xq", "scale", "zero"], ["xd"]),
            helper.make_node("QuantizeLinear", ["w", "scale", "zero"], ["wq"]),
            helper.make_node("DequantizeLinear", ["wq", "scale", "zero"], ["wd"]),
            helper.make_node("MatMul", ["xd", "wd"], ["y"]),
        ]
    graph = helper.make_graph(
        nodes,
        kind,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [*shape[:-1], 4])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
