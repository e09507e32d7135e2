"""Which providers can be used here: what is installed, and what each says when it is started.

A provider is started in a process of its own: a GPU's libraries take hundreds of megabytes of whom they
are loaded by, one that is broken may end it, and ONNX Runtime tells why only on its standard error.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from edge_runtime.boards import board as board_of
from edge_runtime.engine.onnxruntime.providers import PROVIDERS
from edge_runtime.engine.trying import tried

TIMEOUT_S = 60.0
_BLOCK = 1 << 20
PROBE = "edge_runtime.engine.onnxruntime.probe"
# A part of the names in a library that was built with it, which has no file of its own.
_XNNPACK = b"11onnxruntime7xnnpack"


def looked(board: str) -> Mapping[str, str]:
    """The providers that are installed and that a board names, in its order: why each cannot be used.

    '' where it can. Where nobody has said what this is, '', all that are installed.
    """
    return _started(tuple(each for each in _named(board) if is_installed(each)))


def why_unusable(name: str) -> str:
    """Why a provider cannot be used, '' where it can or is not installed."""
    return _started((name,))[name] if is_installed(name) else ""


@cache
def is_installed(name: str) -> bool:
    """Whether a provider may be here. Nothing is imported: a device without one is not to wait."""
    provider = PROVIDERS[name]
    if provider.plugin and find_spec(provider.plugin):
        return True
    spec = find_spec("onnxruntime")
    if spec is None or spec.origin is None:
        return False
    folder = Path(spec.origin).parent / "capi"
    if provider.library:
        return (folder / provider.library).is_file()
    own = (path for path in folder.glob("*.so*") if "_providers_" not in path.name)
    return any(_holds(path, _XNNPACK) for path in own)


def _named(board: str) -> Sequence[str]:
    if not board:
        return tuple(PROVIDERS)
    onnxruntime = board_of(board).onnxruntime
    return onnxruntime.providers if onnxruntime else ()


def _holds(path: Path, text: bytes) -> bool:
    """Whether a file contains it. Read in blocks: mapped whole, it would be at the process's peak."""
    end = b""
    with suppress(OSError), path.open("rb") as file:  # it may be gone
        while block := file.read(_BLOCK):
            if text in end + block:
                return True
            end = block[1 - len(text) :]
    return False


def _started(names: tuple[str, ...]) -> Mapping[str, str]:
    return tried(PROBE, names, TIMEOUT_S)
