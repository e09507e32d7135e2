"""Which boot of the machine this is: what was not flushed to the disk does not outlive it."""

import secrets
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """The kernel's random id of this boot. Where there is none, every call is a boot of its own."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return secrets.token_hex(8)
