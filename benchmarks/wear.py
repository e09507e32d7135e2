"""Bytes a running agent writes to its disk, counted at the block device: what an SD card gets.

    python benchmarks/wear.py [--minutes N] [--no-save]

A real agent, a real broker (mosquitto), and a sensor that sends at a steady rate; the model takes a
window of 4 samples every 2. Each case has an agent of its own, all at once, and its data folder is an
ext4 file system of its own on a loop device, with the usual options: what the kernel writes to that
device is what a card would get, the file system's journal and inodes included. Counting begins once the
agent has run for a while, and both ends follow a `sync`: for minutes, as each 4 MB of the outbox's log
are copied into its file, too. Needs root, loop devices and mosquitto.

Cases: one window a second and ten; the fleet's broker there (rows leave the device when it has them),
and away (rows stay); and the journal of samples in the data folder, as it is by default, or in memory.

Writes benchmarks/results/wear-DATE.md and .json.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from machine import describe_machine, in_words, load_average, save, today
from tables import table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.agent import agent
from tests.support.brokers import Mosquitto
from tests.support.sensor import SensorRig

DAY_S = 86_400
_WARM_UP_S = 20.0
_DISK_BYTES = 128 << 20
_SAMPLES_A_WINDOW = 2


@dataclass(frozen=True)
class Case:
    name: str
    windows_hz: float
    broker: bool = True
    journal_in_memory: bool = False
    interval_s: float = 10.0


CASES = (
    Case("no samples", 0),
    Case("1 window/s", 1),
    Case("10 windows/s", 10),
    Case("1 window/s, broker away", 1, broker=False),
    Case("10 windows/s, broker away", 10, broker=False),
    Case("10 windows/s, journal in memory", 10, journal_in_memory=True),
)


@click.command(help=__doc__.splitlines()[0])
@click.option("--minutes", default=10.0, show_default=True, help="How long is counted.")
@click.option("--save/--no-save", "keep", default=True, help="Write the result into benchmarks/results.")
def main(minutes: float, keep: bool) -> None:
    load_before = load_average()
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        threads = [
            threading.Thread(target=count, args=(case, stack.enter_context(disk(path)), minutes, found))
            for number, case in enumerate(CASES)
            for path in [Path(folder) / str(number)]
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if len(found) < len(CASES):
        raise SystemExit("Not all cases came to their end: see above.")
    result = {
        "date": today(),
        "machine": describe_machine(load_before),
        "load_average_after": round(load_average(), 2),
        "minutes": minutes,
        "cases": {case.name: found[case.name] for case in CASES},
    }
    text = report(result)
    click.echo(text)
    if keep:
        save("wear", result, text)


@contextmanager
def disk(path: Path) -> Iterator[Path]:
    """An empty ext4 file system at `path` while the block runs."""
    image = path.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(_DISK_BYTES)
    path.mkdir()
    # Without lazy initialisation: the kernel would write the inode tables while we count.
    subprocess.run(
        ["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image], check=True
    )
    subprocess.run(["mount", "-o", "loop", image, path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


def count(case: Case, mounted: Path, minutes: float, found: dict[str, dict[str, float]]) -> None:
    """Run one case to its end. The bundle, the configuration and the log are on its disk, too: they
    are written before counting begins."""
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm") as memory,
        Mosquitto(Path(memory) / "broker") as broker,
    ):
        url = broker.url if case.broker else "mqtt://127.0.0.1:1"
        settings: dict[str, Any] = {"fleet": {"url": url, "acknowledge": "broker"}}
        if case.journal_in_memory:
            settings["journal"] = f"{memory}/journal.ring"
        with (
            agent(mounted, broker.url, interval_s=case.interval_s, **settings) as rig,
            SensorRig(broker.url) as sensor,
        ):
            feed(sensor, case, _WARM_UP_S)
            before, rows_before = written(mounted), rig.outbox_counts().last_seq
            began = time.monotonic()
            feed(sensor, case, minutes * 60)
            after, rows = written(mounted), rig.outbox_counts().last_seq - rows_before
            taken_s = time.monotonic() - began
    found[case.name] = {
        "windows_hz": case.windows_hz,
        "rows": rows,
        "seconds": round(taken_s, 1),
        "written_bytes": after - before,
        "bytes_a_row": round((after - before) / rows),
        "mb_a_day": round((after - before) / taken_s * DAY_S / 1e6, 1),
    }


def feed(sensor: SensorRig, case: Case, seconds: float) -> None:
    """Samples at a steady rate for so long."""
    began = time.monotonic()
    if not case.windows_hz:
        time.sleep(seconds)
        return
    pause_s = 1 / (case.windows_hz * _SAMPLES_A_WINDOW)
    for number in range(round(seconds / pause_s)):
        sensor.send(1)
        time.sleep(max(0.0, began + (number + 1) * pause_s - time.monotonic()))


def written(mounted: Path) -> int:
    """Bytes the block device under a file system has been given, nothing of it dirty any more."""
    descriptor = os.open(mounted, os.O_RDONLY)
    try:
        subprocess.run(["sync", "--file-system", mounted], check=True)
        device = os.fstat(descriptor).st_dev
    finally:
        os.close(descriptor)
    fields = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat").read_text().split()
    return int(fields[6]) * 512


def report(result: dict[str, Any]) -> str:
    lines = [
        [name, f"{case['rows']}", f"{case['bytes_a_row']:,}", f"{case['mb_a_day']:,.0f}"]
        for name, case in result["cases"].items()
    ]
    return f"""# Bytes written a day, {result["date"]}

{in_words(result["machine"])} After: {result["load_average_after"]}.

Made by `benchmarks/wear.py`: {result["minutes"]:g} minutes of each case after a warm-up, all at once,
each on an ext4 file system of its own; counted at its block device. A row of metrics every 10 s is
part of every case. A day is extrapolated.

{table(("case", "rows", "bytes a row", "MB a day"), lines)}
"""


if __name__ == "__main__":
    main()
