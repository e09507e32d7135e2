"""Which TensorRT is installed, and its import: the only module that imports it.

TensorRT (`tensorrt`) and TensorRT-RTX (`tensorrt_rtx`, or its bindings alone) have one API for all that
is used here, from TensorRT 10.3 on.
"""

import os
import re
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from edge_runtime.engine.words import told
from edge_runtime.errors import UnavailableError
from edge_runtime.memory import TOO_LITTLE, says_refused
from edge_runtime.signals import raise_if_a_handlers

NAME = "TensorRT"
_NUMBERS = re.compile(r"\d+(?:\.\d+)*")
_TEGRA = "/etc/nv_tegra_release"  # Jetsons have it
_BY_PIP = 'pip install "edge-runtime[tensorrt]"'
_BY_APT = (
    "sudo apt-get install python3-libnvinfer, and make the environment with: "
    "python3 -m venv --system-site-packages"
)


@dataclass(frozen=True)
class Library:
    """One of the libraries. module: what is imported. oldest: the first version that has the API."""

    module: str
    title: str
    oldest: tuple[int, ...]


_LIBRARIES = (
    Library("tensorrt", "TensorRT", (10, 3)),
    Library("tensorrt_rtx", "TensorRT-RTX", (1,)),
    Library("tensorrt_rtx_bindings", "TensorRT-RTX", (1,)),
)


def installed() -> tuple[Library, ...]:
    """Those that are installed, the preferred one first; nothing is imported."""
    return tuple(each for each in _LIBRARIES if _is_installed(each.module))


def named(module: str) -> Library:
    """The library that is imported under this name."""
    return next(each for each in _LIBRARIES if each.module == module)


def hint() -> str:
    """How this machine gets one."""
    return _BY_APT if os.path.exists(_TEGRA) else _BY_PIP


def imported(library: Library) -> Any:
    """The module. Raises UnavailableError where it cannot be imported, or is too old."""
    try:
        module = import_module(library.module)
    except Exception as error:  # a native library that is missing or does not fit shows as any of them
        raise_if_a_handlers(error)
        if says_refused(f"{type(error).__name__}: {error}"):
            raise UnavailableError(f"{TOO_LITTLE}: {told(error)}") from error
        raise UnavailableError(
            f"{library.title} is installed but cannot be imported: {told(error)}; install it anew: "
            f"{hint()}"
        ) from error
    version = str(module.__version__)
    if _numbers(version) < library.oldest:
        oldest = ".".join(map(str, library.oldest))
        raise UnavailableError(
            f"expected {library.title} {oldest} or newer, found {version}. Upgrade what brings it: on a "
            "Jetson, JetPack."
        )
    return module


def listener(module: Any) -> Any:
    """A logger for `module`'s objects, kept by its caller as long as they; see `said`."""

    class Listener(module.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            module.ILogger.__init__(self)
            self._first = ""

        def log(self, severity: Any, message: str) -> None:
            if severity <= module.ILogger.ERROR:
                self._first = self._first or message

        def said(self) -> str:
            """The first complaint since the last call: what follows mostly follows from it."""
            first, self._first = self._first, ""
            return told(first or "nothing")

    return Listener()


def _is_installed(module: str) -> bool:
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None  # a folder of that name is no library


def _numbers(version: str) -> tuple[int, ...]:
    found = _NUMBERS.match(version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
