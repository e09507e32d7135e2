"""Runs in a process of one thread: SIGKILL before every call of an outbox that is made and filled.

After each kill: no row whose append had returned is lost, none is there twice, and the place that was
committed with the rows is that of the last one. Prints how often it was killed.
"""

import shutil
import sys
from itertools import count
from pathlib import Path

from edge_runtime.telemetry.messages import Event
from edge_runtime.telemetry.outbox import Outbox
from tests.support.outbox_rows import rows_of
from tests.support.syscall_kill import killed

BOOT = "boot"


def main(folder: Path) -> int:
    """How often it was killed; raises AssertionError where a promise was broken."""
    work = folder / "work"
    for call in count(1):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        ended = not killed(call, lambda: live(work))
        check(work, f"killed before call {call}")
        check(work, f"opened twice after a kill before call {call}")
        append(work, 1)
        check(work, f"gone on after a kill before call {call}")
        if ended:
            return call - 1
    raise AssertionError


def live(folder: Path) -> None:
    """Rows come, the fleet acknowledges some, the file is closed, which moves its log into it."""
    append(folder, 6)
    with opened(folder) as outbox:
        outbox.acknowledge(outbox.stream, 5)
    tell(folder, "acknowledged", 5)
    append(folder, 2)


def append(folder: Path, rows: int) -> None:
    with opened(folder) as outbox:
        for _ in range(rows):
            seq = outbox.counts().last_seq + 1
            row = Event(seq=0, time=0.0, event=f"row {seq}", detail="x" * 3000)
            assert outbox.append([row], meta={"place": b"%d" % seq}) == seq
            tell(folder, "appended", seq)


def check(folder: Path, when: str) -> None:
    appended, acknowledged = told(folder, "appended"), told(folder, "acknowledged")
    with opened(folder) as outbox:
        found = [row for row in rows_of(outbox) if isinstance(row, Event)]
        place, last = int(outbox.recall("place") or b"0"), outbox.counts().last_seq
    assert appended <= last <= appended + 1, f"{when}: {appended} were appended, found {last}"
    assert place == last, f"{when}: the place is {place}, the last row {last}"
    rows = [(row.seq, row.event) for row in found]
    first = {acknowledged + 1, 6 if last > 5 else 1}
    assert not list(folder.glob("*.corrupt-*")), f"{when}: it was held to be broken"
    assert rows in [[(n, f"row {n}") for n in range(one, last + 1)] for one in first], f"{when}: {rows}"


def opened(folder: Path) -> Outbox:
    return Outbox(folder / "outbox.db", boot_id=BOOT)


def tell(folder: Path, what: str, number: int) -> None:
    """What a caller knows by now."""
    (folder / f"{what}-{number}").touch()


def told(folder: Path, what: str) -> int:
    return max((int(path.name.rpartition("-")[2]) for path in folder.glob(f"{what}-*")), default=0)


if __name__ == "__main__":
    sys.stdout.write(f"{main(Path(sys.argv[1]))}\n")
