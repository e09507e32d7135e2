"""How the device is: measurements from /proc and /sys, named after what they are and end in.

What a machine does not offer is left out. `root` is where /proc and /sys are, or made-up ones.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_MAX_BYTES = 64 << 10
_MAX_ZONES = 64
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_NEVER_TRUE = "PMIC"  # that of a Jetson says 100 °C, always
_PREFERRED = ("cpu", "soc", "x86_pkg")  # of several thermal zones, what the processor's is called


class Health:
    """Measures this machine and the disk of `folder`. Nothing raises."""

    def __init__(self, folder: Path, *, root: Path = Path("/")) -> None:
        self._folder = folder
        self._root = root
        self._before = self._cpu_times()

    def sample(self) -> dict[str, float]:
        """`cpu_percent` (all cores, since the last call), `load_1min`, `memory_used_bytes`,
        `memory_available_bytes`, `process_resident_bytes` (this process), `disk_free_bytes`, `uptime_s`;
        those that this machine has."""
        values: dict[str, float] = {}
        for measure in (
            self._cpu,
            self._load,
            self._memory,
            self._resident,
            self._disk,
            self._uptime,
        ):
            with suppress(OSError, ValueError, IndexError, KeyError):
                values.update(measure())
        return values

    def temperature(self) -> dict[str, float]:
        """`temperature_c`, the processor's where zones have names; for itself, as a driver may hang."""
        found: list[tuple[int, float]] = []
        with suppress(OSError):
            for celsius, zone in temperatures(self._root):
                ranks = [rank for rank, name in enumerate(_PREFERRED) if name in zone.lower()]
                found.append((min(ranks, default=len(_PREFERRED)), celsius))
        return {"temperature_c": round(min(found)[1], 1)} if found else {}

    def _cpu(self) -> dict[str, float]:
        before, now = self._before, self._cpu_times()
        self._before = now
        busy, total = now[0] - before[0], now[1] - before[1]
        return {"cpu_percent": round(100 * busy / total, 1)} if total > 0 and busy >= 0 else {}

    def _cpu_times(self) -> tuple[int, int]:
        """Busy and total time of all cores, in ticks (proc(5): user nice system idle iowait …)."""
        try:
            fields = self._read("proc/stat").split("\n", 1)[0].split()
            ticks = [int(field) for field in fields[1:9]]
            return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
        except (OSError, ValueError, IndexError):
            return 0, 0

    def _load(self) -> dict[str, float]:
        return {"load_1min": float(self._read("proc/loadavg").split()[0])}

    def _memory(self) -> dict[str, float]:
        found = memory(self._root)
        return {
            "memory_used_bytes": float(found["MemTotal"] - found["MemAvailable"]),
            "memory_available_bytes": float(found["MemAvailable"]),
        }

    def _resident(self) -> dict[str, float]:
        return {"process_resident_bytes": float(resident_bytes("self", root=self._root))}

    def _disk(self) -> dict[str, float]:
        found = os.statvfs(self._folder)
        return {"disk_free_bytes": float(found.f_bavail * found.f_frsize)}

    def _uptime(self) -> dict[str, float]:
        return {"uptime_s": float(self._read("proc/uptime").split()[0])}

    def _read(self, path: str) -> str:
        return read(self._root / path)


def memory(root: Path) -> dict[str, int]:
    """Bytes by the names of proc(5), such as `MemAvailable`. Raises OSError, ValueError, IndexError."""
    lines = (line.split(":") for line in read(root / "proc/meminfo").splitlines() if ":" in line)
    return {name: 1024 * int(value.split()[0]) for name, value in lines}


def resident_bytes(process: int | str, root: Path = Path("/")) -> int:
    """What a process has in memory. Raises OSError for one that is gone, ValueError, IndexError."""
    return _pages(process, 1, root) * _PAGE_BYTES


def data_bytes(process: int | str, root: Path = Path("/")) -> int:
    """What it has allocated, and its stacks. Raises the same."""
    return _pages(process, 5, root) * _PAGE_BYTES


def _pages(process: int | str, field: int, root: Path) -> int:
    """By its place in statm of proc(5)."""
    return int(read(root / f"proc/{process}/statm").split()[field])


def temperatures(root: Path) -> Iterator[tuple[float, str]]:
    """(°C, the zone's name) of each thermal zone that tells one that can be."""
    return zones(root / "sys/class/thermal")


def zones(folder: Path) -> Iterator[tuple[float, str]]:
    """The same of a folder of zones, or of the folder of one."""
    found = sorted(folder.glob("thermal_zone*"))[:_MAX_ZONES] or [folder]
    for zone in found:
        with suppress(OSError, ValueError):
            celsius = int(read(zone / "temp")) / 1000
            name = zone.name
            with suppress(OSError):
                name = read(zone / "type").strip() or name
            if -60 < celsius < 200 and not name.startswith(_NEVER_TRUE):
                yield celsius, name


def hottest(folder: Path) -> float | None:
    """°C of the hottest of them; None where none tells it."""
    with suppress(OSError):  # the folder itself cannot be looked at
        return max((celsius for celsius, _ in zones(folder)), default=None)
    return None


def read(path: Path) -> str:
    """The beginning of a file of the kernel's. Raises OSError.

    Python gives None, not an error, for a sensor that says "try again", as a Jetson's do that are off.
    """
    with path.open("rb") as file:
        return (file.read(_MAX_BYTES) or b"").decode("utf-8", "replace")
