"""The board that the configuration names, beside what the machine calls itself."""

import platform
from pathlib import Path

import pytest

from edge_runtime import boards
from edge_runtime.config import Config, DeviceConfig
from edge_runtime.doctor.board import judge, look
from edge_runtime.doctor.findings import Device, Finding

PI4, PI5 = "Raspberry Pi 4 Model B Rev 1.4", "Raspberry Pi 5 Model B Rev 1.0"


def judged(told: str, arch: str, model: str) -> Finding:
    return judge(boards.board(told) if told else None, arch, model)


@pytest.mark.parametrize(
    ("found", "state", "words", "advice"),
    [
        (judged("pi5", "aarch64", PI5), "ok", f"This is {PI5}, and `device.board` says pi5.", ""),
        (judged("pi5", "aarch64", "A carrier of our own"), "ok", "A carrier of our own", ""),
        (judged("rtx-30", "x86_64", ""), "ok", "a machine of the kind x86_64", ""),
        (judged("", "x86_64", ""), "ok", "which board that is, `device.board` does not say", ""),
        (judged("", "aarch64", PI5), "warning", "`device.board` does not say so", 'board = "pi5"'),
        (
            judged("pi5", "aarch64", PI4),
            "problem",
            f"`device.board` is pi5, Raspberry Pi 5 (aarch64), but this is {PI4} (aarch64)",
            "Write there pi4, or leave it out.",
        ),
        (
            judged("pi5", "x86_64", ""),
            "problem",
            "but this is a machine of the kind x86_64 (x86_64)",
            "Write there what this machine is",
        ),
        (judged("pi5", "armv7l", PI5), "problem", "its system is for armv7l", "Put a 64-bit operating"),
        (judged("jetson-nano", "aarch64", ""), "problem", "Python 3.6", "docs/engines.md"),
    ],
)
def test_a_board_is_compared_with_the_machine(
    found: Finding, state: str, words: str, advice: str
) -> None:
    assert found.state == state
    assert words in found.what
    assert advice in found.advice


def test_the_name_is_read_from_the_device_tree(tmp_path: Path) -> None:
    config = Config(device=DeviceConfig(id="dev"))
    (found,) = look(Device(config=config, root=tmp_path))
    assert found.what.startswith(f"This is a machine of the kind {platform.machine()}; ")
    (tmp_path / "proc" / "device-tree").mkdir(parents=True)
    (tmp_path / "proc" / "device-tree" / "model").write_bytes(f"{PI5}\0".encode())
    (found,) = look(Device(config=config, root=tmp_path))
    assert found.what.startswith(f"This is {PI5}, and `device.board` does not say so")
