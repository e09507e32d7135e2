"""The onnxruntime package, imported when it is first used."""

import os
from functools import cache
from typing import Any

NAME = "onnxruntime"
CPU = "cpu"  # what it runs on where no provider is asked for
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
