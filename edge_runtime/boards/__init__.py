"""What each kind of board is: its hardware and the software that comes with it, one TOML file each."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec

from edge_runtime.errors import ConfigError

__all__ = [
    "Board",
    "OnnxRuntime",
    "TensorRT",
    "board",
    "board_names",
    "called",
    "model_here",
    "supported",
]

_MODEL = "proc/device-tree/model"
_MAX_MODEL_BYTES = 4096


class TensorRT(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The TensorRT that a board's software brings. `capability` is its GPU's compute capability."""

    version: str
    cuda: str
    capability: str


class OnnxRuntime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The newest ONNX Runtime that a board's software takes, and the newest of each that this one loads.

    opset, ml_opset: of the operator sets ai.onnx and ai.onnx.ml. ir_version: of ONNX files.
    providers: what a model is tried on besides the processor, in this order, where it is installed.
    """

    version: str
    opset: int
    ml_opset: int
    ir_version: int
    providers: tuple[str, ...] = ()


class Board(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of hardware and its software.

    name: as `--board` takes it. title: as people call it. models: what /proc/device-tree/model begins
    with there, where there is one. arch: as `uname -m` says. python: the newest that runs there.
    onnxruntime: None where it is unsupported. tensorrt: None without an NVIDIA GPU.
    unsupported: why this project cannot run there, '' where it can.
    """

    name: str
    title: str
    models: tuple[str, ...] = ()
    arch: str
    software: str
    python: str
    onnxruntime: OnnxRuntime | None = None
    tensorrt: TensorRT | None = None
    unsupported: str = ""


# Known with the module: msgspec 0.22 crashes where two threads are the first to decode one type.
msgspec.json.Decoder(Board)


def model_here(root: Path = Path("/")) -> str:
    """What this machine calls itself, such as "Raspberry Pi 5 Model B Rev 1.0"; '' for a PC, most often.

    `root` is where /proc is.
    """
    try:
        with (root / _MODEL).open("rb") as file:
            return file.read(_MAX_MODEL_BYTES).decode(errors="replace").strip("\0\n ")
    except OSError:
        return ""


@cache
def board_names() -> tuple[str, ...]:
    """Every board known, in alphabetical order."""
    found = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))


def board(name: str) -> Board:
    """A board by name. Raises ConfigError for one that is not known."""
    if name not in board_names():
        raise ConfigError(f"board: expected one of {', '.join(board_names())}; found {name!r}.")
    return msgspec.toml.decode(files(__name__).joinpath(f"{name}.toml").read_bytes(), type=Board)


def called(model: str) -> Board | None:
    """The board that calls itself `model` in its device tree; None for a machine that none is like."""
    return next((one for one in map(board, board_names()) if model.startswith(one.models)), None)


def supported(names: Iterable[str]) -> tuple[Board, ...]:
    """Boards by name, each once. Raises ConfigError for one that is unknown or unsupported."""
    if isinstance(names, str):
        raise ConfigError(
            f"boards: expected a list of names, found the text {names!r}. Write [{names!r}]."
        )
    found = tuple(board(name) for name in dict.fromkeys(names))
    for each in found:
        if each.unsupported:
            raise ConfigError(f"board {each.name!r}: {each.title} is not supported: {each.unsupported}.")
    return found
