"""The users of this machine, as messages name them and commands are run as them."""

import pwd
from contextlib import suppress
from pathlib import Path

_ALL = 2**32 - 1  # numbers of users, of which a machine maps each onto itself


def name(number: int) -> str:
    """What a user is called; the number where nobody of that number has a name."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def sudo(number: int) -> str:
    """What stands before a command, in a shell, that is to run as this user."""
    if number == 0:
        return "sudo"
    who = name(number)
    return f"sudo -u '#{number}'" if who == str(number) else f"sudo -u {who}"


def is_hidden(number: int, root: Path = Path("/")) -> bool:
    """Whether that is how the kernel shows all whom this process's user namespace has no number for.

    `root` is where /proc is. On the machine itself it is the number of a user like others: `nobody`.
    """
    with suppress(OSError, ValueError, IndexError):
        if number == int((root / "proc/sys/kernel/overflowuid").read_text()):
            ranges = (root / "proc/self/uid_map").read_text().splitlines()
            return sum(int(each.split()[2]) for each in ranges) < _ALL
    return False
