"""The socket of a service manager, as systemd has one: what a service says arrives here."""

import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import wait_for


class ManagerSocket:
    """A datagram socket at `address`, a path or `@name`; a context manager. `heard`: all that came."""

    def __init__(self, folder: Path, *, abstract: bool = False) -> None:
        self.address = f"@edge-runtime-{secrets.token_hex(8)}" if abstract else str(folder / "notify")
        self.heard: list[str] = []
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + self.address[1:] if abstract else self.address)
        self._socket.setblocking(False)

    def __enter__(self) -> "ManagerSocket":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def environment(self, watchdog_s: float) -> dict[str, str]:
        return {"NOTIFY_SOCKET": self.address, "WATCHDOG_USEC": str(int(watchdog_s * 1e6))}

    def listen(self) -> list[str]:
        """Take what has come since; all of it so far."""
        with self._lock:
            while True:
                try:
                    self.heard.append(self._socket.recv(65_536).decode())
                except BlockingIOError:
                    return self.heard

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take what comes meanwhile, as systemd does: the kernel keeps ten messages, and no more."""
        over = threading.Event()

        def listen() -> None:
            while not over.wait(0.05):
                self.listen()

        thread = threading.Thread(target=listen, name="service-manager")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def wait_for(self, text: str) -> str:
        """The first message that contains `text`."""
        return wait_for(lambda: next((one for one in self.listen() if text in one), None), text) or ""

    def silent_for(self, duration_s: float) -> bool:
        """Whether nothing comes for so long."""
        before = len(self.listen())
        time.sleep(duration_s)
        return len(self.listen()) == before

    def beats(self) -> int:
        return self.listen().count("WATCHDOG=1")
