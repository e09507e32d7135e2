"""What each measurement means, in words: decisions without a machine."""

from datetime import datetime, timezone

import pytest

from edge_runtime.doctor import clock, disk, hardware, software
from edge_runtime.doctor.findings import Finding


def seconds(year: int) -> float:
    return datetime(year, 6, 1, tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize(
    ("found", "state", "words"),
    [
        (
            clock.judge(seconds(1970), True),
            "problem",
            "The clock says 1970-06-01 00:00:00 UTC, which cannot",
        ),
        (clock.judge(seconds(2200), True), "problem", "which cannot be"),
        (clock.judge(seconds(2027), False), "warning", "nothing keeps it right"),
        (clock.judge(seconds(2027), True), "ok", "and is kept right."),
        (clock.judge(seconds(2027), None), "ok", "2027-06-01 00:00:00 UTC."),
        (
            disk.judge("/d", 10_000_000, 50_000_000, 0),
            "problem",
            "10 MB are free for /d, but an install needs 50",
        ),
        (disk.judge("/d", 90_000_000, 50_000_000, 95_000_000), "warning", "the outbox may take 95 MB"),
        (
            disk.judge("/d", 900_000_000, 50_000_000, 95_000_000),
            "ok",
            "900 MB are free for /d; an",
        ),
        (hardware.judge_temperature(45, "cpu"), "ok", "cpu is at 45 °C."),
        (hardware.judge_temperature(82, "cpu"), "warning", "slower"),
        (hardware.judge_temperature(97, "cpu"), "problem", "switch itself off"),
        (hardware.judge_power(0), "ok", "strong enough"),
        (hardware.judge_power(0x50005), "problem", "too weak right now"),
        (hardware.judge_power(0x50004), "warning", "slowed down right now"),
        (hardware.judge_power(0x50000), "warning", "too weak since the last start"),
        (hardware.judge_power(0x40000), "warning", "slowed down since the last start"),
        (
            hardware.judge_memory("It", 30_000_000),
            "problem",
            "It has 30 MB of memory left: a model's process",
        ),
        (hardware.judge_memory("It", 150_000_000), "warning", "little for a model"),
        (hardware.judge_memory("It", 800_000_000), "ok", "It has 800 MB of memory left."),
        (software.judge_python((3, 8), 64, "aarch64"), "problem", "Python 3.8 is older than the oldest"),
        (software.judge_python((3, 11), 32, "armv7l"), "problem", "is a 32-bit program"),
        (software.judge_python((3, 11), 64, "aarch64"), "ok", "Python 3.11 on aarch64, edge-runtime"),
    ],
)
def test_a_measurement_has_its_words(found: Finding, state: str, words: str) -> None:
    assert found.state == state
    assert words in found.what
    assert found.what.endswith(".")
    assert bool(found.advice) == (state != "ok")
