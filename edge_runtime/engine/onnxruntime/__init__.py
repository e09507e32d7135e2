"""ONNX Runtime behind the engine seam: the only package that imports it, and only when it is used."""

from edge_runtime.engine.onnxruntime.engine import OnnxRuntimeEngine
from edge_runtime.engine.onnxruntime.session import OnnxRuntimePart, OnnxRuntimeSession

__all__ = ["OnnxRuntimeEngine", "OnnxRuntimePart", "OnnxRuntimeSession"]
