"""What strace saw a process and its children ask the kernel for."""

import re
from collections.abc import Iterator
from pathlib import Path

_CALL = re.compile(r"^\d+ +(\w+)\((.*)$")
_FLAGS = "O_WRONLY|O_RDWR|O_CREAT|O_TRUNC"
_INET = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\("|inet_pton\(AF_INET6, ")([^"]+)"')


def command(file: Path) -> list[str]:
    """What a program's command line is to begin with, so that `file` holds its calls."""
    return ["strace", "--follow-forks", "--quiet=all", "--string-limit=300", f"--output={file}"]


class Trace:
    def __init__(self, file: Path) -> None:
        lines = file.read_text("utf-8", "replace").splitlines()
        self.calls = [(found[1], found[2]) for line in lines if (found := _CALL.match(line))]

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.calls}

    def of(self, *names: str) -> Iterator[str]:
        return (arguments for name, arguments in self.calls if name in names)

    def families(self) -> set[str]:
        return {arguments.split(",", 1)[0] for arguments in self.of("socket")}

    def destinations(self) -> set[tuple[str, int]]:
        """Addresses and ports of the Internet that were connected or sent to."""
        calls = self.of("connect", "sendto", "sendmsg", "sendmmsg")
        return {(found[2], int(found[1])) for each in calls for found in _INET.finditer(each)}

    def written(self) -> set[Path]:
        """Absolute paths that were opened to be written, and were there or were made."""
        found = set()
        for arguments in self.of("open", "openat", "creat"):
            path = re.search(r'"([^"]*)"', arguments)
            if path and re.search(_FLAGS, arguments) and not re.search(r"= -1 ", arguments):
                found.add(Path(path[1]))
        return found

    def made_executable(self) -> list[str]:
        """Memory that was writable and executable at once, or became executable."""
        mapped = [each for each in self.of("mmap") if "PROT_WRITE" in each and "PROT_EXEC" in each]
        return mapped + [each for each in self.of("mprotect", "pkey_mprotect") if "PROT_EXEC" in each]
