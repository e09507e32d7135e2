"""A real SIGKILL right before the n-th system call that changes a file: SQLite's own are counted, too.

ptrace(2) stops the process before each call; what is counted is in `CHANGES`. Stores into mapped memory
are no calls. Linux 5.3 and later, x86-64 and aarch64.
"""

import ctypes
import os
import platform
import signal
import traceback
from collections.abc import Callable

_TRACEME, _CONT_TO_CALL, _KILL_WITH_TRACER, _INFO = 0, 24, 0x100000, 0x420E
_SETOPTIONS, _GOOD_STOPS = 0x4200, 1  # with PTRACE_O_TRACESYSGOOD a stop at a call has bit 7 set
_ENTRY, _O_CREAT = 1, os.O_CREAT
CHANGES = {
    "x86_64": {
        1: "write", 18: "pwrite64", 20: "writev", 74: "fsync", 75: "fdatasync", 76: "truncate",
        77: "ftruncate", 82: "rename", 83: "mkdir", 84: "rmdir", 87: "unlink", 257: "openat",
        263: "unlinkat", 264: "renameat", 285: "fallocate", 296: "pwritev", 316: "renameat2",
    },
    "aarch64": {
        34: "mkdirat", 35: "unlinkat", 38: "renameat", 45: "truncate", 46: "ftruncate", 47: "fallocate",
        56: "openat", 64: "write", 66: "writev", 68: "pwrite64", 70: "pwritev", 82: "fsync",
        83: "fdatasync", 276: "renameat2",
    },
}  # fmt: skip


class _Entry(ctypes.Structure):
    """The beginning of struct ptrace_syscall_info."""

    _fields_ = (
        ("op", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("instruction_pointer", ctypes.c_uint64),
        ("stack_pointer", ctypes.c_uint64),
        ("number", ctypes.c_uint64),
        ("arguments", ctypes.c_uint64 * 6),
    )


def killed(before_call: int, action: Callable[[], None]) -> bool:
    """Run `action` in a fork that is killed before its n-th counted call, n from 1.

    False when it ended well before; raises AssertionError when it ended in any other way. This process
    must have one thread.
    """
    child = os.fork()
    if not child:
        code = 1
        try:
            _ptrace(_TRACEME, 0, 0, None)
            os.kill(os.getpid(), signal.SIGSTOP)
            action()
            code = 0
        except BaseException:  # noqa: BLE001  nothing may get past the fork
            traceback.print_exc()
        finally:
            os._exit(code)
    code = _followed(child, before_call)
    assert code in (0, -signal.SIGKILL), f"expected a kill or success, found exit code {code}"
    return code != 0


def _followed(child: int, left: int) -> int:
    """Let a stopped child run to its end, or to the call before which it is killed; its exit code."""
    changes = CHANGES[platform.machine()]
    os.waitpid(child, 0)
    _ptrace(_SETOPTIONS, child, 0, ctypes.c_void_p(_KILL_WITH_TRACER | _GOOD_STOPS))
    entry, passed_on = _Entry(), 0
    while True:
        _ptrace(_CONT_TO_CALL, child, 0, ctypes.c_void_p(passed_on))
        _, status = os.waitpid(child, 0)
        if not os.WIFSTOPPED(status):
            return os.waitstatus_to_exitcode(status)
        passed_on = os.WSTOPSIG(status)
        if passed_on != signal.SIGTRAP | 0x80:
            continue
        passed_on = 0
        _ptrace(_INFO, child, ctypes.sizeof(entry), ctypes.byref(entry))
        name = changes.get(entry.number) if entry.op == _ENTRY else None
        left -= name is not None and (name != "openat" or bool(entry.arguments[2] & _O_CREAT))
        if not left:
            os.kill(child, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _ptrace(request: int, process: int, address: int, data: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.restype = ctypes.c_long
    libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    if libc.ptrace(request, process, address, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace: {os.strerror(ctypes.get_errno())}")
