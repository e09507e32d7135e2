"""Runs a program under what a unit of systemd has the kernel enforce, where systemd itself does not run.

`python confined.py CALLS PROGRAM …`: no capabilities, no new privileges, no memory that is writable and
executable (PR_SET_MDWE, Linux 6.3), and EPERM for each system call that is not named in the file CALLS,
by the same library that systemd uses. Children inherit all of it.
"""

import ctypes
import errno
import os
import resource
import sys
from pathlib import Path

_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_SET_MDWE = 24, 38, 65
_ACT_ALLOW, _ACT_ERRNO = 0x7FFF0000, 0x00050000
_LIBRARY = "libseccomp.so.2"


def why_not() -> str:
    """Why this machine cannot confine a program like that; '' if it can."""
    try:
        ctypes.CDLL(_LIBRARY)
    except OSError:
        return f"{_LIBRARY} is not on this machine"
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    return "" if release >= (6, 3) else "this kernel has no PR_SET_MDWE"


def main() -> None:
    prctl = ctypes.CDLL(None).prctl
    if os.geteuid() == 0:
        for capability in range(64):
            prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    assert prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert prctl(_PR_SET_MDWE, 1, 0, 0, 0) == 0
    _filter_calls(Path(sys.argv[1]).read_text().split())
    os.execv(sys.argv[2], sys.argv[2:])


def _filter_calls(names: list[str]) -> None:
    library = ctypes.CDLL(_LIBRARY)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ACT_ERRNO | errno.EPERM)))
    for name in names:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # others are of another processor
            library.seccomp_rule_add(context, ctypes.c_uint32(_ACT_ALLOW), number, 0)
    assert library.seccomp_load(context) == 0


if __name__ == "__main__":
    main()
