"""Whether this device's clock can be believed: a pure rule over what is known of it.

A device without a network, or whose clock chip has no battery, starts in 1970 or where it was switched
off. Expiry may refuse something only where the clock is right (docs/trust.md, ADR 0022).
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeAlias

_EARLIEST = datetime(2026, 1, 1, tzinfo=timezone.utc)  # this software did not exist before
_TIME_ERROR = 5  # adjtimex(2): not synchronized
_TIMEX_BYTES = 512  # more than struct timex has anywhere; `modes` 0 at its start only reads
_CHIPS = Path("/sys/class/rtc")


@dataclass(frozen=True)
class Evidence:
    """What is known of a clock.

    now: what it says. synchronized: whether the kernel calls it so; None where it cannot be asked.
    newest_seen: the latest time that was recorded here while it was synchronized; None for never.
    has_chip: whether a real-time clock keeps time while the device is off.
    """

    now: datetime
    synchronized: bool | None
    newest_seen: datetime | None
    has_chip: bool


@dataclass(frozen=True)
class Clock:
    """What the clock says, whether that is believed, and why, to follow "the clock ..."."""

    now: datetime
    believed: bool
    why: str
    synchronized: bool = False


ReadClock: TypeAlias = Callable[[datetime | None], Clock]


def judged(evidence: Evidence) -> Clock:
    """The rule; the first that applies decides.

    1. Before 2026, or before the newest time seen here: not believed, whatever the kernel says. Time
       does not go back, so that time or this one is wrong.
    2. Synchronized, says the kernel: believed.
    3. A clock chip, and a time seen here before: believed. It was right once and has been kept since.
    4. Otherwise not believed.
    """
    now, seen = evidence.now, evidence.newest_seen
    if now < _EARLIEST:
        return Clock(now, False, f"says {now:%Y-%m-%d}, before this software existed")
    if seen is not None and now < seen:
        return Clock(now, False, f"says {now:%Y-%m-%d}, but it was {seen:%Y-%m-%d} here before")
    if evidence.synchronized:
        return Clock(now, True, "is kept right, as the kernel says", synchronized=True)
    if evidence.has_chip and seen is not None:
        return Clock(now, True, f"was right on {seen:%Y-%m-%d}, and a clock chip has kept it since")
    return Clock(now, False, "is not synchronized, and nothing else says that it is right")


def read(newest_seen: datetime | None) -> Clock:
    """This machine's clock, judged."""
    now = datetime.now(timezone.utc)
    return judged(Evidence(now, synchronized(), newest_seen, any(_CHIPS.glob("rtc*"))))


def synchronized() -> bool | None:
    """What the kernel says of its clock; None where it cannot be asked."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        state = int(libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR
