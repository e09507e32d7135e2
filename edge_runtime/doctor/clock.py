"""Whether the clock is right: certificates, and the order of what the fleet hears, depend on it."""

import time
from collections.abc import Iterator

from edge_runtime.clock import synchronized
from edge_runtime.doctor.findings import Device, Finding, ok, problem, warning

_EARLIEST = 2026  # this software did not exist before
_LATEST = 2100
_ADVICE = (
    "Switch on time synchronisation: timedatectl set-ntp true (it needs a network, or a clock chip)."
)


def look(_device: Device) -> Iterator[Finding]:
    yield judge(time.time(), synchronized())


def judge(now_s: float, in_step: bool | None) -> Finding:
    """`now_s`: Unix seconds; `in_step`: whether the kernel calls it synchronized, None: cannot tell."""
    now = time.gmtime(now_s)
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", now)
    if not _EARLIEST <= now.tm_year <= _LATEST:
        return problem(f"The clock says {shown}, which cannot be.", _ADVICE)
    if in_step is False:
        return warning(f"The clock says {shown}, and nothing keeps it right.", _ADVICE)
    return ok(f"The clock says {shown}{', and is kept right' if in_step else ''}.")
