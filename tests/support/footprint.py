"""What an agent and its worker hold of the machine, by the kernel's count, and what is on their disk."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_SETTLE_S = 20.0
# A file is open for a moment now and then: what is held for good is what is there at every look.
_LOOKS, _LOOK_EVERY_S = 8, 0.03


@dataclass(frozen=True)
class Held:
    """By one process and its children: `agent_bytes` and `worker_bytes` are resident memory."""

    processes: int
    threads: int
    descriptors: int
    agent_bytes: int
    worker_bytes: int


def settled(agent: int) -> Held:
    """What the agent with this process id holds, with its children: once there is one, or after 20 s."""
    deadline = time.monotonic() + _SETTLE_S
    while time.monotonic() < deadline:
        with suppress(FileNotFoundError, ProcessLookupError):  # a child ended meanwhile
            if len(found := children(agent)) == 1:
                return _held(agent, found)
        time.sleep(0.02)
    return _held(agent, children(agent))


def children(pid: int) -> list[int]:
    """The processes that any thread of `pid` has started and that are not waited for yet."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def left_behind(folder: Path) -> Sequence[str]:
    """Command lines of processes that name a folder, after all that belongs there has ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words:
            found.append(words)
    return found


def folder_bytes(folder: Path) -> int:
    """Of all files below a folder that others may be changing."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.lstat().st_size if path.is_file() else 0
    return total


def _held(agent: int, found: list[int]) -> Held:
    everyone = [agent, *found]
    threads, descriptors = [], []
    for _ in range(_LOOKS):
        threads.append(sum(len(os.listdir(f"/proc/{pid}/task")) for pid in everyone))
        descriptors.append(sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in everyone))
        time.sleep(_LOOK_EVERY_S)
    return Held(
        processes=len(everyone),
        threads=min(threads),
        descriptors=min(descriptors),
        agent_bytes=_resident(agent),
        worker_bytes=sum(map(_resident, found)),
    )


def _resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS")), 0)
