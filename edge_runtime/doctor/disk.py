"""Whether there is room for what is kept and for the next install."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from edge_runtime.config import Config
from edge_runtime.doctor.findings import Device, Finding, megabytes, ok, problem, warning
from edge_runtime.doctor.folders import nearest

MARGIN_BYTES = 16 << 20  # for journals, the store's state and a little of everything
_FEW_NAMES = 1_000
_ADVICE = (
    "Free some: edge-runtime prune --store STORE --keep 1 removes ways back; remove logs and packages "
    "that nobody needs, or use a bigger disk."
)


def look(device: Device) -> Iterator[Finding]:
    assert device.data is not None
    folder = nearest(device.data)
    found = os.statvfs(folder)
    if found.f_flag & os.ST_RDONLY:
        yield problem(
            f"The disk of {device.data} is mounted read-only.",
            "The kernel does that after an error: look at dmesg, check the disk or card, mount it anew.",
        )
    install, outbox = needs(device.config)
    yield judge(str(device.data), found.f_bavail * found.f_frsize, install, outbox)
    if found.f_files and found.f_favail < _FEW_NAMES:
        yield problem(
            f"The disk of {device.data} has room for {found.f_favail} more files only.",
            "Remove folders with many small files.",
        )


def needs(config: Config | None) -> tuple[int, int]:
    """Bytes that the next install takes, and by how much the outbox may still grow."""
    if config is None:
        return MARGIN_BYTES, 0
    install = max((_size(model.bundle) for model in config.models if model.bundle), default=0)
    outbox = max(0, config.telemetry.max_outbox_bytes - _size(config.outbox))
    return install + MARGIN_BYTES, outbox


def judge(folder: str, free: int, install: int, outbox: int) -> Finding:
    told = f"{megabytes(free)} are free for {folder}"
    if free < install:
        return problem(f"{told}, but an install needs {megabytes(install)}.", _ADVICE)
    if free < install + outbox:
        return warning(
            f"{told}, but without its fleet the outbox may take {megabytes(outbox)} beside an install's "
            f"{megabytes(install)}.",
            f"{_ADVICE} Or lower `telemetry.max_outbox_bytes`.",
        )
    return ok(f"{told}; an install needs {megabytes(install)}.")


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
