"""A folder laid out as the kernel's /sys/class/thermal, whose temperatures a test tells."""

import os
from pathlib import Path


class Thermal:
    """`tell` sets a zone, by its name, in millidegrees as the kernel does; a text is told as it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._zones: dict[str, Path] = {}

    def tell(self, name: str, value: int | str) -> None:
        zone = self.zone(name)
        if not zone.exists():
            zone.mkdir(parents=True)
            (zone / "type").write_text(f"{name}\n")
        there = zone / "temp.new"
        there.write_text(f"{value}\n")
        there.replace(zone / "temp")

    def hang(self, name: str) -> None:
        """Let a zone answer nobody, as one whose driver hangs."""
        self.tell(name, 0)
        temp = self.zone(name) / "temp"
        temp.unlink()
        os.mkfifo(temp)

    def answer(self, name: str, value: int) -> None:
        """End that for all who wait and who ask later. Raises OSError where nobody waits."""
        waiting = os.open(self.zone(name) / "temp", os.O_WRONLY | os.O_NONBLOCK)
        os.write(waiting, f"{value}\n".encode())
        os.close(waiting)
        self.tell(name, value)

    def zone(self, name: str) -> Path:
        return self._zones.setdefault(name, self.folder / f"thermal_zone{len(self._zones)}")
