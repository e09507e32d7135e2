"""What cannot be traced."""

from contextvars import ContextVar

from edge_runtime.errors import UnsupportedModelError

#: While an author's own code is traced: the errors that were raised, as that code may catch them.
raised: ContextVar[list["TracingError"] | None] = ContextVar("raised", default=None)


class TracingError(UnsupportedModelError):
    """Numpy code does something that no ONNX graph can do, or none that reads one row at a time."""

    def __init__(self, *told: object) -> None:
        super().__init__(*told)
        if (errors := raised.get()) is not None:
            errors.append(self)


class NoSuchMethodError(TracingError, AttributeError):
    """An attribute that arrays, or data frames, may have and tensors have not."""
