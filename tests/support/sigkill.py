"""A real SIGKILL right before a chosen file-system call of a piece of code."""

import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

# Functions of os that change what is on a disk. `os.open` counts when it may create.
CALLS = ("open", "write", "fsync", "rename", "unlink", "mkdir", "rmdir")
_CHECKOUT = Path(__file__).parents[2]


class Killer:
    """A process with one thread that forks a child for each kill: quick, and safe to fork from."""

    def __enter__(self) -> "Killer":
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=_CHECKOUT,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def killed(self, before_call: int, action: Callable[..., None], *arguments: Any) -> bool:
        """Run a module's function in a child that kills itself before its n-th call, n from 1.

        False when it ended well before; raises AssertionError when it ended in any other way.
        """
        assert self._process.stdin
        assert self._process.stdout
        pickle.dump((before_call, action, arguments), self._process.stdin)
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        assert code in (0, -signal.SIGKILL), f"expected a kill or success, found exit code {code}"
        return code != 0


def _serve() -> None:
    while True:
        try:
            before_call, action, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        child = os.fork()
        if not child:
            code = 1
            try:
                _count_down(before_call)
                action(*arguments)
                code = 0
            except BaseException:  # noqa: BLE001  nothing may get past the fork
                traceback.print_exc()
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _count_down(left: int) -> None:
    """Make this process kill itself before the call after which none is left."""

    def counted(real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*given: Any, **options: Any) -> Any:
            nonlocal left
            if name != "open" or given[1] & os.O_CREAT:
                left -= 1
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **options)

        return call

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name), name))


if __name__ == "__main__":
    _serve()
