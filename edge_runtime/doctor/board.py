"""Whether this machine is the board that the configuration says it is."""

import platform
from collections.abc import Iterator

from edge_runtime.boards import Board, board, called, model_here
from edge_runtime.doctor.findings import Device, Finding, ok, problem, warning


def look(device: Device) -> Iterator[Finding]:
    assert device.config is not None
    told = device.config.board
    yield judge(board(told) if told else None, platform.machine(), model_here(device.root))


def judge(told: Board | None, arch: str, model: str) -> Finding:
    """`told`: what the configuration says; `arch`: as `uname -m`; `model`: what it calls itself."""
    name = model or f"a machine of the kind {arch}"
    known = called(model)
    right = known.name if known else "what this machine is"
    if told is None and known is None:
        return ok(f"This is {name}; which board that is, `device.board` does not say.")
    if told is None:
        return warning(
            f"This is {name}, and `device.board` does not say so: variants are tried whatever board "
            "they were made for.",
            f'Write board = "{right}" into [device] of the configuration.',
        )
    if told.unsupported:
        return problem(
            f"{told.title} is not supported: {told.unsupported}.",
            "Use a board that is: docs/engines.md.",
        )
    if told.arch != arch and known == told:
        return problem(
            f"This is {name}, as `device.board` says, but its system is for {arch} and not {told.arch}.",
            "Put a 64-bit operating system on this machine.",
        )
    if told.arch != arch or (known is not None and known != told):
        return problem(
            f"`device.board` is {told.name}, {told.title} ({told.arch}), but this is {name} ({arch}): "
            "variants that were made for this machine are passed over.",
            f"Write there {right}, or leave it out.",
        )
    return ok(f"This is {name}, and `device.board` says {told.name}.")
