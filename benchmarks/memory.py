"""What a process holds in memory, by the kernel's count."""

import ctypes
import gc
from pathlib import Path

MIB = 1 << 20


def resident(field: str) -> int:
    """Bytes; VmRSS: now, after what is freed but kept for later was given back; VmHWM: at the peak."""
    if field == "VmRSS":
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def forget_peak() -> None:
    """Have the peak counted from now on."""
    Path("/proc/self/clear_refs").write_text("5")
