"""What cannot be traced."""

from edge_runtime.errors import UnsupportedModelError


class TracingError(UnsupportedModelError):
    """Numpy code does something that no ONNX graph can do, or none that reads one row at a time."""


class NoSuchMethodError(TracingError, AttributeError):
    """An attribute that arrays, or data frames, may have and tensors have not."""
