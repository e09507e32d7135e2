"""Boards by name, read from the files that come with the package."""

import re

import onnxruntime
import pytest
from onnx import TensorProto, helper

from edge_runtime.boards import board, board_names, called, supported
from edge_runtime.engine.onnxruntime.providers import PROVIDERS
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
    if found.onnxruntime is not None:
        assert set(found.onnxruntime.providers) <= set(PROVIDERS)


@pytest.mark.parametrize(
    ("domain", "more", "taken"),
    [("", 0, True), ("", 1, False), ("ai.onnx.ml", 0, True), ("ai.onnx.ml", 1, False), ("ir", 0, True)],
)
def test_what_the_installed_onnxruntime_loads_is_what_its_boards_say(
    domain: str, more: int, taken: bool
) -> None:
    stated = [each for each in map(board, board_names()) if each.onnxruntime is not None]
    known = next(
        each.onnxruntime
        for each in stated
        if each.onnxruntime and each.onnxruntime.version == onnxruntime.__version__
    )
    opset = known.opset + more if domain == "" else 17
    ml_opset = known.ml_opset + more if domain == "ai.onnx.ml" else 3
    node = helper.make_node("Identity", ["x"], ["y"])
    scaler = helper.make_node("Scaler", ["y"], ["z"], domain="ai.onnx.ml", offset=[0.0], scale=[1.0])
    x, z = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1]) for name in "xz")
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", ml_opset)]
    model = helper.make_model(
        helper.make_graph([node, scaler], "g", [x], [z]),
        opset_imports=imports,
        ir_version=known.ir_version,
    )

    def load() -> None:
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    if taken:
        load()
    else:
        with pytest.raises(Exception, match="opset"):
            load()


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Raspberry Pi 4 Model B Rev 1.4", "pi4"),
        ("Raspberry Pi 400 Rev 1.0", "pi4"),
        ("Raspberry Pi Compute Module 4 Rev 1.0", "pi4"),
        ("Raspberry Pi 5 Model B Rev 1.0", "pi5"),
        ("NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super", "orin-nano"),
        ("NVIDIA Orin NX Developer Kit", "orin-nx"),
        ("NVIDIA Jetson AGX Orin Developer Kit", "agx-orin"),
        ("Jetson-AGX", "agx-xavier"),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", None),
        ("Precision 5560", None),
        ("", None),
    ],
)
def test_a_board_is_known_by_what_it_calls_itself(model: str, name: str | None) -> None:
    found = called(model)
    assert (found and found.name) == name


def test_no_two_boards_call_themselves_alike() -> None:
    for name in board_names():
        assert [called(prefix) for prefix in board(name).models] == [board(name)] * len(
            board(name).models
        )


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
