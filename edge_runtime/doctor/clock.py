"""Whether the clock is right: certificates, and the order of what the fleet hears, depend on it."""

import ctypes
import time
from collections.abc import Iterator

from edge_runtime.doctor.findings import Device, Finding, ok, problem, warning

_EARLIEST = 2026  # this software did not exist before
_LATEST = 2100
_TIME_ERROR = 5  # adjtimex(2): not synchronized
_TIMEX_BYTES = 512  # more than struct timex has anywhere; `modes` 0 at its start only reads
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


def synchronized() -> bool | None:
    """What the kernel says of its clock; None where it cannot be asked."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        state = int(libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR
