"""What a measurement holds for: with another processor, engine or limit it is measured again."""

import os
import platform
import re
import sys
from functools import cache
from pathlib import Path

import msgspec

from edge_runtime import __version__
from edge_runtime.boards import model_here
from edge_runtime.choice.decision import Prefer
from edge_runtime.engine.candidate import Candidate
from edge_runtime.worker.limits import default_bytes

# What decides how fast a model runs, and by which ways: names of distributions begin so.
_DECIDES = ("onnxruntime", "tensorrt", "openvino", "nvidia", "numpy")
_INSTALLED = re.compile(r"(?P<name>[A-Za-z0-9_.]+)-(?P<version>[^-]+)\.(?:dist|egg)-info\Z")
_DRIVERS = ("/proc/driver/nvidia/version", "/etc/nv_tegra_release")
_MODEL = re.compile(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", re.MULTILINE)
_MAX_READ = 1 << 16


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """machine: its architecture and processor. software: engines, libraries and drivers, with versions.

    What is configured: `board`, `threads`, `max_bytes` of memory, the pins `variant` and `provider`, and
    what is preferred.
    """

    runtime: str
    machine: str
    software: tuple[str, ...]
    board: str
    threads: int
    max_bytes: int
    variant: str
    provider: str
    prefer: Prefer


def key_of(
    *,
    board: str = "",
    threads: int = 1,
    max_bytes: int | None = None,
    variant: str = "",
    provider: str = "",
    prefer: Prefer = "speed",
) -> Key:
    """The key of this machine as it is now, with what is configured."""
    return Key(
        runtime=__version__,
        machine=this_machine(),
        software=software(),
        board=board,
        threads=threads,
        max_bytes=max_bytes or default_bytes(),
        variant=variant,
        provider=provider,
        prefer=prefer,
    )


def same_machine(one: Key, other: Key) -> bool:
    """Whether what was chosen for one can still be expected to run for the other."""
    return (one.machine, one.software) == (other.machine, other.software)


def holds_here(key: Key) -> bool:
    """Whether what was measured still holds for this machine and this release, as far as they count."""
    return key.runtime == __version__ and same_machine(key, key_of())


def allows(key: Key, candidate: Candidate) -> bool:
    """Whether a candidate is what is pinned, if anything is."""
    return key.variant in ("", candidate.variant) and key.provider in ("", candidate.provider)


@cache
def this_machine() -> str:
    """Architecture and processor, such as "aarch64, Raspberry Pi 5 Model B Rev 1.0, 4 cores"."""
    model = model_here()
    if not model:
        found = _MODEL.search(_text(Path("/proc/cpuinfo")))
        model = found[1].strip() if found else platform.processor()
    return f"{platform.machine()}, {model}, {os.cpu_count()} cores"


@cache
def software() -> tuple[str, ...]:
    """Names and versions of what runs models here: libraries, engines of other packages, drivers."""
    from importlib.metadata import entry_points  # not for those who only read a record

    from edge_runtime.engine.registry import GROUP

    found = set()
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        matches = (_INSTALLED.match(name) for name in names if name.lower().startswith(_DECIDES))
        found |= {f"{match['name'].lower()} {match['version']}" for match in matches if match}
    found |= {
        f"{entry.dist.name} {entry.dist.version}" for entry in entry_points(group=GROUP) if entry.dist
    }
    drivers = [line.strip() for path in _DRIVERS if (line := _text(Path(path)).partition("\n")[0])]
    return (*sorted(found), *drivers)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_READ).decode(errors="replace")
    except OSError:
        return ""
