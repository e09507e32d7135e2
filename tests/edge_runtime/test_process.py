"""What a child process does to itself: limits of its life and of its memory."""

import os
import subprocess
import sys

from edge_runtime import process

_ALLOCATE = """
import sys
from edge_runtime.process import limit_memory
for limit in sys.argv[2:]:
    limit_memory(int(limit))
try:
    print(len(bytearray(int(sys.argv[1]))))
except MemoryError:
    print("refused")
"""

_BESIDE = """
import sys
from edge_runtime.process import beside_limit, limit_memory
limit_memory(256 << 20)
with beside_limit():
    bytearray(1 << 30)
    kept = bytearray(512 << 20)
print(len(bytearray(64 << 20)))
try:
    print(len(bytearray(256 << 20)))
except MemoryError:
    print("refused")
"""

_GIVEN_BACK = """
import threading
from edge_runtime.process import allocated_bytes, most_used_bytes
before = allocated_bytes()
def used_mib(): return most_used_bytes() - before >> 20
thread = threading.Thread(target=lambda: bytearray(1000))
thread.start()
thread.join()
print(used_mib())
b"x" * (64 << 20)
print(used_mib())
"""

_ENDS = ("exit 3", "kill -TERM $$", "kill -40 $$")

_TIED = """
import sys, time
from edge_runtime.process import stay_tied_to
stay_tied_to(int(sys.argv[1]))
print("lives", flush=True)
time.sleep(60)
"""

_PARENT = f"""
import os, subprocess, sys, threading
def start():
    child = subprocess.Popen([sys.executable, "-c", {_TIED!r}, str(os.getpid())], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"lives\\n"
    children.append(child)
children = []
thread = threading.Thread(target=start)
thread.start()
thread.join()
print(children[0].wait(30))
"""


def said(program: str, *arguments: int) -> str:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_less_than_the_limit_is_given_and_more_is_refused() -> None:
    assert said(_ALLOCATE, 64 << 20, 256 << 20) == str(64 << 20)
    assert said(_ALLOCATE, 512 << 20, 256 << 20) == "refused"


def test_a_lower_limit_stays() -> None:
    assert said(_ALLOCATE, 512 << 20, 256 << 20, 1 << 40) == "refused"


def test_what_is_kept_beside_the_limit_does_not_count_and_the_rest_does_again() -> None:
    assert said(_BESIDE).split() == [str(64 << 20), "refused"]


def test_what_was_used_and_given_back_is_known_and_what_a_thread_only_maps_is_not_taken_for_it() -> None:
    """glibc maps 128 MiB for the first thread, and gives most of it back at once."""
    thread, given_back = map(int, said(_GIVEN_BACK).split())
    assert thread < 32
    assert 64 <= given_back < 96


def test_how_a_process_ended_follows_its_name() -> None:
    ended = [subprocess.run(["sh", "-c", line], check=False).returncode for line in _ENDS]
    assert [process.ending(status) for status in ended] == [
        "ended with status 3",
        "was ended by SIGTERM",
        "was ended by signal 40",
    ]


def test_it_is_killed_when_the_thread_that_started_it_ends() -> None:
    assert said(_PARENT) == "-9"


def test_it_ends_at_once_where_its_parent_is_gone_already() -> None:
    assert said(_TIED, os.getpid() + 1_000_000_000) == ""
