"""Errors while an author's code is traced, told in terms of that code."""

import linecache
import os
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import Any

import numpy as np

from converter.tracing.dispatch import name_of
from converter.tracing.errors import TracingError

_OURS = str(Path(__file__).parent.parent) + os.sep
_INSTALLED = tuple(
    {sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)

_TRACED = ("", "numpy", "sklearn")  # libraries of which the code itself is traced


@contextmanager
def blamed(code: Any) -> Iterator[None]:
    """Any error inside becomes a TracingError that names the function and the line of its author."""
    try:
        yield
    except RecursionError as error:
        raise TracingError(f"{_title(code)}: it calls itself without an end.") from error
    except Exception as error:
        raise TracingError(f"{_title(code)}{_place(error.__traceback__)}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, TracingError):
        return str(error)
    kind = type(error).__name__
    return (
        f"it raises {kind}: {error}. The function is run once on a stand-in for its input, so that "
        "numpy functions of whole arrays can be recorded: docs/custom-steps.md."
    )


def _title(code: Any) -> str:
    """A function's name; of a method its class, too."""
    while isinstance(code, partial):
        code = code.func
    code = getattr(code, "__wrapped__", code)
    if isinstance(code, np.ufunc):
        return name_of(code)
    name = getattr(code, "__qualname__", type(code).__name__)
    return str(name).rpartition("<locals>.")[2]


def _place(traceback: TracebackType | None) -> str:
    """The innermost line that is neither ours nor a library's: ` (features.py, line 7: `if x > 0:`)`."""
    found, library = "", ""
    for frame, line in walk_tb(traceback):
        path = frame.f_code.co_filename
        if path.startswith((_OURS, "<frozen")) or path.endswith(".pyx"):
            continue
        if path.startswith(_INSTALLED):
            library = library or str(frame.f_globals.get("__name__", "")).partition(".")[0]
            continue
        source = linecache.getline(path, line).strip()
        quoted = f": `{source}`" if source else ""
        found, library = f" ({Path(path).name}, line {line}{quoted})", ""
    return found + (f", in {library}" if library not in _TRACED else "")
