"""What ONNX Runtime has of a graph once it is loaded, and what a second process makes of it."""

import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

Array = np.ndarray


def _optimized(raw: bytes, *, fully: bool) -> onnx.GraphProto:
    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if fully else levels.ORT_ENABLE_BASIC
    options.log_severity_level = 3  # it says that an optimized graph is for this machine only
    with TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "optimized.onnx")
        onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath).graph


def operators(raw: bytes) -> Counter[str]:
    """How often each operator is run, after all optimization."""
    return Counter(node.op_type for node in _optimized(raw, fully=True).node)


def constants(raw: bytes) -> dict[str, Array]:
    """The constants that nodes read when it runs, by name."""
    return {each.name: numpy_helper.to_array(each) for each in _optimized(raw, fully=False).initializer}


def in_another_process(call: str, raw: bytes) -> str:
    """The digest of what an expression makes of `raw`, under another hash seed.

    call: such as "converter.quantization.weights:stored(raw, 'int8')".
    """
    module, _, expression = call.partition(":")
    code = (
        f"import hashlib, sys; from {module} import *; raw = sys.stdin.buffer.read(); "
        f"print(hashlib.sha256({expression}).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=raw,
        capture_output=True,
        check=True,
        env={"PYTHONHASHSEED": "7"},
    )
    return done.stdout.decode().strip()


def digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
