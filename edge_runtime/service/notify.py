"""What a service manager is told, over the datagram socket it names in NOTIFY_SOCKET (sd_notify(3)).

READY=1 once, STATUS= in words, WATCHDOG=1 while the main loop goes round, STOPPING=1 at the end. Where
no manager asked, all of it does nothing. Nothing here waits or raises: a manager that is deaf must not
stop the models.
"""

import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress

_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_MAX_STATUS_BYTES = 2_000


class Notifier:
    """Used by one thread, the one whose life the watchdog is to watch."""

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        """`address`: a path, or `@name` in the abstract namespace. `watchdog_s`: 0 for no watchdog."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._every_s = watchdog_s / 3  # the manual asks for half; a third forgives one that was lost
        self._next_s = 0.0
        self._status = ""
        self._socket: socket.socket | None = None
        if address[:1] in ("/", "@"):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> "Notifier":
        """What the manager asked for, taken out of `environment`: it does not ask our children."""
        asked = {name: environment.pop(name, "") for name in _VARIABLES}
        ours = asked["WATCHDOG_PID"] in ("", str(os.getpid()))
        usec = asked["WATCHDOG_USEC"]
        watchdog_s = int(usec) / 1e6 if ours and usec.isascii() and usec.isdigit() else 0.0
        return cls(asked["NOTIFY_SOCKET"], watchdog_s)

    def ready(self) -> None:
        self._send("READY=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`; sent only when it is another one."""
        line = " ".join(text.split()).encode()[:_MAX_STATUS_BYTES].decode(errors="ignore")
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def went_round(self) -> None:
        """Call on every turn of the main loop: the manager hears of it as often as it needs to."""
        now = time.monotonic()
        if self._every_s and now >= self._next_s:
            self._next_s = now + self._every_s
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, text: str) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.sendto(text.encode(), self._address)
