"""Runs checks side by side, each within its time, and lets none of them end the others."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from edge_runtime.doctor.findings import Device, Finding, problem
from edge_runtime.errors import EdgeError


@dataclass(frozen=True)
class Check:
    """`look` may raise EdgeError: that is a problem, too. After `limit_s` it is not waited for."""

    name: str
    look: Callable[[Device], Iterable[Finding]]
    limit_s: float = 10.0


def examine(device: Device, checks: Sequence[Check]) -> list[Finding]:
    """The findings of all checks, in their order; takes as long as the slowest, within its limit."""
    runs = [_Run(check, device) for check in checks]
    return [
        msgspec.structs.replace(finding, check=run.check.name)
        for run in runs
        for finding in run.findings()
    ]


@dataclass
class _Run:
    """One check in a thread of its own, from the start."""

    check: Check
    device: Device
    _found: list[Finding] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        # A look-up of a name or a dead network disk cannot be interrupted: the process's end does that.
        self._thread = threading.Thread(target=self._look, name=self.check.name, daemon=True)
        self._thread.start()

    def findings(self) -> list[Finding]:
        self._thread.join(max(0.0, self._began + self.check.limit_s - time.monotonic()))
        if self._thread.is_alive():
            what = f"No answer within {self.check.limit_s:g} s."
            return [problem(what, "Look whether a disk or the network hangs, and try again.")]
        return self._found

    def _look(self) -> None:
        try:
            self._found = list(self.check.look(self.device))
        except EdgeError as error:
            self._found = [problem(str(error), "Mend that, and run the doctor again.")]
        except Exception as error:  # noqa: BLE001 (one check that fails is no reason to hide the others)
            what = f"This could not be looked at: {type(error).__name__}: {error}."
            self._found = [problem(what, "Please report it; it is a fault of this program.")]
