"""Building a plan in a process of its own, with a time limit and progress."""

import json
import mmap
import os
import select
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import IO, Any

import msgspec

from edge_runtime.bundle.manifest import Profile
from edge_runtime.engine.tensorrt.library import named
from edge_runtime.engine.words import told
from edge_runtime.errors import EngineError, UnavailableError
from edge_runtime.process import ending
from edge_runtime.signals import raise_if_a_handlers

# Large networks take TensorRT ten minutes and more on an Orin Nano.
DEFAULT_TIMEOUT_S = 1800.0
BUILDER = "edge_runtime.engine.tensorrt.builder"

_LINE_BYTES = 4096
_TAIL_LINES = 3


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the builder's process is told. module: of the library. flags: see `PlanKey`.

    parent, onnx, plan: its parent and its descriptors, which `build` fills in.
    """

    module: str
    capability: str
    profile: Profile
    flags: tuple[str, ...]
    parent: int = 0
    onnx: int = -1
    plan: int = -1


def build(
    onnx: bytes,
    request: Request,
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    progress: Callable[[str], None] = lambda _: None,
) -> memoryview:
    """The plan of an ONNX file, in memory of its own; `progress` hears how far it is, in words.

    Raises EngineError when TensorRT refuses the graph, UnavailableError when its process dies, finds too
    little memory, of which it may have what this one may, or `timeout_s` seconds are over: the model may
    be fine.
    """
    title = named(request.module).title
    given, made = os.memfd_create("onnx"), os.memfd_create("plan")
    try:
        with open(given, "wb", closefd=False) as file:
            file.write(onnx)
        os.lseek(given, 0, os.SEEK_SET)
        asked = msgspec.structs.replace(request, parent=os.getpid(), onnx=given, plan=made)
        _run(asked, title, timeout_s, progress)
        if not os.fstat(made).st_size:
            raise UnavailableError(f"{title}'s builder gave an empty plan")
        return memoryview(mmap.mmap(made, 0, access=mmap.ACCESS_READ))
    finally:
        os.close(given)
        os.close(made)


def _run(asked: Request, title: str, timeout_s: float, progress: Callable[[str], None]) -> None:
    """Start the builder and listen until it has built. Raises EngineError."""
    deadline = time.monotonic() + timeout_s
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", BUILDER, msgspec.json.encode(asked).decode()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(asked.onnx, asked.plan),
            env={**os.environ, "PYTHONSAFEPATH": "1"},  # nothing is imported from where we stand
        )
    except OSError as error:
        raise_if_a_handlers(error)
        raise UnavailableError(f"no process can be started that builds a plan: {error}") from error
    assert process.stdout is not None
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    try:
        with process.stdout as output:
            for line in _lines(output, deadline):
                said = _said(line)
                if said.get("built") is True:
                    return
                if "why" in said:
                    kind = UnavailableError if said.get("here") else EngineError
                    raise kind(f"{title}: {said['why']}")
                if said:
                    progress(f"{said.get('percent')} %, {said.get('phase')}")
                elif text := line.decode(errors="replace").strip():
                    tail.append(text)
        status = process.wait(max(0.0, deadline - time.monotonic()))
    except (TimeoutError, subprocess.TimeoutExpired) as error:
        raise_if_a_handlers(error)
        raise UnavailableError(f"{title} had not built the plan after {timeout_s:g} s") from None
    finally:
        process.kill()
        process.wait()
    said_last = told(" / ".join(tail) or "it said nothing")
    raise UnavailableError(f"{title}'s builder {ending(status)}; {said_last}")


def _lines(output: IO[bytes], deadline: float) -> Iterator[bytes]:
    """What the process writes, line by line, long lines in pieces. Raises TimeoutError."""
    poll = select.poll()
    poll.register(output, select.POLLIN)
    descriptor, rest = output.fileno(), b""
    while True:
        left_ms = (deadline - time.monotonic()) * 1000
        if left_ms <= 0 or not poll.poll(left_ms):
            raise TimeoutError
        read = os.read(descriptor, _LINE_BYTES)
        *lines, rest = (rest + read).split(b"\n")
        if not read or len(rest) > _LINE_BYTES:
            lines, rest = [*lines, rest], b""
        yield from lines
        if not read:
            return


def _said(line: bytes) -> dict[str, Any]:
    """The builder's own words; {} where a library wrote into the same pipe."""
    try:
        words = json.loads(line)
    except ValueError:
        return {}
    return words if isinstance(words, dict) else {}
