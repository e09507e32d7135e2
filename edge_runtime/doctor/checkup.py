"""Runs checks side by side, each within its time, and lets none of them end the others."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from edge_runtime.doctor.findings import Device, Finding, problem
from edge_runtime.errors import EdgeError
from edge_runtime.starting import worded

_QUIET_S = 2.0  # before whoever waits is told for what
_POLL_S = 0.1


@dataclass(frozen=True)
class Check:
    """`look` may raise EdgeError: that is a problem, too. After `limit_s` it is not waited for."""

    name: str
    look: Callable[[Device], Iterable[Finding]]
    limit_s: float = 10.0


def examine(
    device: Device, checks: Sequence[Check], say: Callable[[str], None] = lambda _: None
) -> list[Finding]:
    """The findings of all checks, in their order; takes as long as the slowest, within its limit.

    `say` hears what is still looked at, where that takes longer than a moment.
    """
    runs = [_Run(check, device) for check in checks]
    _wait(runs, say)
    return [
        msgspec.structs.replace(
            finding, check=run.check.name, advice=worded(finding.advice, device.root)
        )
        for run in runs
        for finding in run.findings()
    ]


def _wait(runs: "Sequence[_Run]", say: Callable[[str], None]) -> None:
    """Until each has ended, or its time is over."""
    quiet_until, told = time.monotonic() + _QUIET_S, ""
    while waits := [run for run in runs if run.goes_on(_POLL_S / len(runs))]:
        names = ", ".join(run.check.name for run in waits)
        if names != told and time.monotonic() >= quiet_until:
            most_s = max(run.check.limit_s for run in waits)
            say(f"still looks at: {names} ({most_s:g} s at most)")
            told = names


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

    def goes_on(self, wait_s: float) -> bool:
        """Whether it has neither ended after a moment, nor is its time over."""
        left_s = self._began + self.check.limit_s - time.monotonic()
        self._thread.join(max(0.0, min(left_s, wait_s)))
        return left_s > 0 and self._thread.is_alive()

    def findings(self) -> list[Finding]:
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
