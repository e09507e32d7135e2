"""Boards by name, read from the files that come with the package."""

import re

import pytest

from edge_runtime.boards import board, board_names, supported
from edge_runtime.errors import ConfigError


@pytest.mark.parametrize("name", board_names())
def test_every_board_says_what_it_is_and_whether_it_is_supported(name: str) -> None:
    found = board(name)
    assert found.name == name
    assert found.title
    assert found.arch in ("aarch64", "x86_64")
    old = tuple(int(part) for part in found.python.split(".")) < (3, 10)
    assert bool(found.unsupported) == old
    assert bool(found.onnxruntime) != bool(found.unsupported)
    if found.tensorrt is not None:
        assert re.fullmatch(r"\d+\.\d", found.tensorrt.capability)


def test_boards_are_found_by_name_and_each_once() -> None:
    assert [each.name for each in supported(["pi4", "orin-nano", "pi4"])] == ["pi4", "orin-nano"]
    assert supported([]) == ()


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["pi3"], "expected one of agx-orin, .*; found 'pi3'"),
        (
            ["jetson-nano"],
            "Jetson Nano is not supported: its last software, JetPack 4.6, has Python 3.6",
        ),
        ("pi4", r"expected a list of names, found the text 'pi4'"),
    ],
)
def test_an_unknown_or_unsupported_board_is_one_clear_sentence(names: object, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        supported(names)  # type: ignore[arg-type]
