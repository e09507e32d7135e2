"""The onnxruntime package: imported when it is first used, and what it raises as errors of ours."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from edge_runtime.engine.words import one_line
from edge_runtime.errors import EngineError

SILENT = 4


def library() -> Any:
    """The imported package. Raises ImportError."""
    # Its Linux wheels report use to their vendor unless this is set before the first import.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    _silence(onnxruntime)
    return onnxruntime


@cache
def _silence(onnxruntime: Any) -> None:
    # What it would log also arrives as an exception, or concerns hardware that is not used here.
    onnxruntime.set_default_logger_severity(SILENT)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn what ONNX Runtime raises (it has no common base of its own) into an EngineError."""
    try:
        yield
    except EngineError:
        raise
    except Exception as error:
        raise failed(what, error) from error


def failed(what: str, error: Exception) -> EngineError:
    return EngineError(f"{what} by onnxruntime: {told(error)}")


def told(error: Exception) -> str:
    """What a foreign exception says, on one line of bounded length."""
    return one_line(str(error)) or type(error).__name__
