"""What each kind of board is: its hardware and the software that comes with it, one TOML file each."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files

import msgspec

from edge_runtime.errors import ConfigError

__all__ = ["Board", "TensorRT", "board", "board_names", "supported"]


class TensorRT(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The TensorRT that a board's software brings. `capability` is its GPU's compute capability."""

    version: str
    cuda: str
    capability: str


class Board(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of hardware and its software.

    name: as `--board` takes it. title: as people call it. arch: as `uname -m` says. python,
    onnxruntime: the newest that run there. tensorrt: None without an NVIDIA GPU. unsupported: why this
    project cannot run there, '' where it can.
    """

    name: str
    title: str
    arch: str
    software: str
    python: str
    onnxruntime: str = ""
    tensorrt: TensorRT | None = None
    unsupported: str = ""


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
