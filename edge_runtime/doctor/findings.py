"""What a check answers with: one sentence that says what is, and one that says what to do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from edge_runtime.config import Config, Fault

State = Literal["ok", "warning", "problem"]


class Finding(msgspec.Struct, frozen=True):
    """`advice` is '' only where all is well. `check` is filled in by who runs the checks."""

    state: State
    what: str
    advice: str = ""
    check: str = ""


@dataclass(frozen=True)
class Device:
    """What the checks look at. `root` is where /proc and /sys are; tests have made-up ones.

    Where there is a `config_file`, there is what it says, `config`, or why it says nothing, `faults`.
    """

    config_file: Path | None = None
    config: Config | None = None
    store: Path | None = None
    root: Path = Path("/")
    faults: tuple[Fault, ...] = ()

    @property
    def data(self) -> Path | None:
        """The folder that has to be written to, wherever it was named."""
        return self.config.device.data if self.config else self.store

    @property
    def store_folder(self) -> Path | None:
        return self.config.store if self.config else self.store


def ok(what: str) -> Finding:
    return Finding("ok", what)


def warning(what: str, advice: str) -> Finding:
    """It works now, or may."""
    return Finding("warning", what, advice)


def problem(what: str, advice: str) -> Finding:
    """It does not work."""
    return Finding("problem", what, advice)


def megabytes(size: float) -> str:
    """Bytes in the unit of the configuration's limits, `memory_mb` and others."""
    return f"{size / 1e6:,.0f} MB"
