"""Workers by the thousand: the worker's own program, forked where its libraries are imported already.

A new process spends most of a third of a second on imports. `Forker` starts one that has done so and
asks it for a fork for each model; that runs `edge_runtime.worker.__main__.main`, limits included.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import msgspec

from edge_runtime import __version__
from edge_runtime.worker.wire import Task

TIMEOUT_S = 60
_MESSAGE_BYTES = 4096


class Forker:
    """The process that forks, warmed by a bundle, `first`. One worker at a time."""

    def __init__(self, first: Path) -> None:
        self._asking, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "tests.hostile.forked", str(theirs.fileno()), str(first)]
            folder = Path(__file__).parents[2]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=folder)
        self._asking.settimeout(TIMEOUT_S)

    def fork(self, folder: Path, max_bytes: int) -> tuple[int, socket.socket]:
        """Start a worker on an unpacked bundle: its process id, and our end of its socket."""
        ours, theirs = socket.socketpair()
        with theirs:
            task = Task(
                parent=self._process.pid,
                folder=str(folder),
                threads=1,
                max_bytes=max_bytes,
                board="",
                variant="",
                provider="",
                preferred=None,
                priority=0,
                asks=False,
            )
            socket.send_fds(self._asking, [msgspec.json.encode(task)], [theirs.fileno()])
        return int(self._asking.recv(_MESSAGE_BYTES)), ours

    def ended(self) -> int:
        """Wait for the worker that was forked last to end; the most memory it used, in bytes."""
        return int(self._asking.recv(_MESSAGE_BYTES))

    def __enter__(self) -> "Forker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._asking.close()
        self._process.wait(TIMEOUT_S)


def main() -> None:
    """Fork for each request until the other end closes."""
    from edge_runtime import model
    from edge_runtime.worker import __main__ as program

    with model.load(Path(sys.argv[2]), allow_unsigned=True) as first:  # imports all that a worker does
        first.replay_goldens()
    asked = socket.socket(fileno=int(sys.argv[1]))
    while True:
        said, descriptors, _, _ = socket.recv_fds(asked, _MESSAGE_BYTES, 1)
        if not said:
            return
        (descriptor,) = descriptors
        pid = os.fork()
        if pid == 0:
            asked.close()
            sys.argv[1:] = [__version__, str(descriptor), said.decode()]
            try:
                program.main()
            finally:
                os._exit(0)
        os.close(descriptor)
        asked.send(str(pid).encode())
        _, _, used = os.wait4(pid, 0)
        asked.send(str(used.ru_maxrss << 10).encode())


if __name__ == "__main__":
    main()
