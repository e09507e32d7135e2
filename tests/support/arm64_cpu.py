"""What the kernel of a board says of its processor, for programs that run under emulation.

ONNX Runtime reads /proc/cpuinfo and /sys when it is imported, and crashes under emulation on those of
the machine that emulates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_CORES = 2
_V8_0 = "fp asimd evtstrm crc32 cpuid"
_V8_2 = f"{_V8_0} aes pmull sha1 sha2 atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"


@dataclass(frozen=True)
class Cpu:
    """A processor that qemu emulates: its name there, and its part number and features in cpuinfo."""

    name: str
    part: int
    features: str


# The oldest board that edge_runtime/boards takes is the Raspberry Pi 4; the Nano and TX2 (cortex-a57)
# are refused there for their Python. qemu 7.2 has no Cortex-A78AE, Orin's: the Neoverse N1 has the same
# instructions, those of Armv8.2 with dot products and float16.
PI4 = Cpu("cortex-a72", 0xD08, _V8_0)
PI5 = Cpu("cortex-a76", 0xD0B, _V8_2)
ORIN = Cpu("neoverse-n1", 0xD0C, _V8_2)
CPUS = (PI4, PI5, ORIN)


def write(cpu: Cpu, folder: Path) -> Mapping[Path, str]:
    """Make up /proc/cpuinfo and /sys of two cores in `folder`: which path of ours stands for which."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpuinfo").write_text("".join(_core(cpu, number) for number in range(_CORES)))
    cores = folder / "sys" / "devices" / "system" / "cpu"
    for name in ("possible", "present", "online"):
        _say(cores / name, f"0-{_CORES - 1}")
    for number in range(_CORES):
        for name, value in {
            "topology/physical_package_id": "0",
            "topology/core_id": str(number),
            "topology/core_siblings_list": f"0-{_CORES - 1}",
            "cpufreq/cpuinfo_max_freq": "1500000",
            "cpufreq/cpuinfo_min_freq": "600000",
        }.items():
            _say(cores / f"cpu{number}" / name, value)
    return {folder / "cpuinfo": "/proc/cpuinfo", folder / "sys": "/sys"}


def _core(cpu: Cpu, number: int) -> str:
    lines = {
        "processor": number,
        "BogoMIPS": "108.00",
        "Features": cpu.features,
        "CPU implementer": "0x41",
        "CPU architecture": 8,
        "CPU variant": "0x0",
        "CPU part": f"{cpu.part:#x}",
        "CPU revision": 3,
    }
    return "".join(f"{name}\t: {value}\n" for name, value in lines.items()) + "\n"


def _say(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")
