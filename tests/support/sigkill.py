"""A real SIGKILL right before a chosen file-system call of a piece of code."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

# Functions of os that change what is on a disk. `os.open` counts when it may create.
CALLS = ("open", "write", "fsync", "rename", "unlink", "mkdir", "rmdir")

# The fork server is a fresh process with one thread, so that forking from it is safe.
_PROCESSES = multiprocessing.get_context("forkserver")


def preload(*modules: str) -> None:
    """Import these once, in the process that all children are forked from."""
    _PROCESSES.set_forkserver_preload([__name__, *modules])


def killed(before_call: int, action: Callable[..., None], *arguments: Any) -> bool:
    """Run a module's function in a child that kills itself before its n-th call, n from 1.

    False when it ended well before; raises AssertionError when it ended in any other way.
    """
    child = _PROCESSES.Process(target=_run, args=(before_call, action, arguments))
    child.start()
    child.join(timeout=60)
    code = child.exitcode
    child.kill()
    child.join()
    child.close()
    assert code in (0, -signal.SIGKILL), f"expected a kill or success, found exit code {code}"
    return code != 0


def _run(before_call: int, action: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    left = before_call

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
    action(*arguments)
