"""A worker has a limit of memory: asking for more is an error of its own, whatever the machine has."""

import subprocess
import sys
from pathlib import Path

from edge_runtime.worker.limits import default_bytes

_ALLOCATE = """
import sys
from edge_runtime.worker.limits import limit_memory
limit_memory(int(sys.argv[1]))
try:
    print(len(bytearray(int(sys.argv[2]))))
except MemoryError:
    print("refused")
"""


def allocated(max_bytes: int, wanted: int) -> str:
    command = [sys.executable, "-c", _ALLOCATE, str(max_bytes), str(wanted)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_less_than_the_limit_is_given_and_more_is_refused() -> None:
    assert allocated(256 << 20, 64 << 20) == str(64 << 20)
    assert allocated(256 << 20, 512 << 20) == "refused"


def test_three_quarters_of_the_machine_are_allowed_where_nothing_is_said() -> None:
    total = int(Path("/proc/meminfo").read_text().split()[1]) << 10

    assert abs(default_bytes() - total * 3 // 4) < (1 << 20)
