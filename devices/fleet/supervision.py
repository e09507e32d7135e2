"""What keeps the fleet's processes going, and what ends them."""

import json
import logging
import time
from pathlib import Path
from types import TracebackType

from devices.fleet.broker import EmbeddedBroker
from edge_runtime.durable import replace_file
from edge_runtime.errors import EdgeError, StorageError

log = logging.getLogger(__name__)

_RESTART_S = (0.2, 30.0)  # first and longest pause before the broker is started again
_HEALTHY_S = 60.0  # having served for so long, it begins again with the first pause


class SupervisedBroker:
    """Brings the broker back when it dies: on the same port and store, with growing pauses.

    `keep` is called a few times a second, from the thread that entered the context: the kernel ends
    the child together with the thread that made it.
    """

    def __init__(self, broker: EmbeddedBroker) -> None:
        self._broker = broker
        self._pause_s = _RESTART_S[0]
        self._started = self._next = 0.0
        self._was_alive = self._store_failed = False

    def __enter__(self) -> "SupervisedBroker":
        self._broker.start()
        self._mark_started()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._broker.close()

    def keep(self) -> None:
        """Look after the broker. Raises nothing that time may mend."""
        now = time.monotonic()
        if self._broker.alive:
            if now - self._started > _HEALTHY_S and not self._store_failed:
                self._pause_s = _RESTART_S[0]
            self._look_after_its_store(now)
            return
        if self._was_alive:
            self._was_alive = False
            self._next = now + self._pause_s
            log.warning("the broker ended unexpectedly; it is started again in %.1f s", self._pause_s)
        if now >= self._next:
            self._restart()

    def _look_after_its_store(self, now: float) -> None:
        """A store that failed once fails until the next start, and without room that would fail, too.

        Until then the broker goes on: what it need not store, such as samples of QoS 0, is delivered.
        """
        if (reason := self._broker.store_fails()) and not self._store_failed:
            self._store_failed = True
            self._next = now + self._pause_s
            log.error(
                "the broker's store fails: %s. Free space or see to the disk; the broker is started "
                "again when there is room. Devices keep their rows.",
                reason,
            )
        if self._store_failed and now >= self._next and self._broker.has_room:
            self._broker.close()
            self._was_alive = False
            self._restart()

    def _restart(self) -> None:
        self._pause_s = min(2 * self._pause_s, _RESTART_S[1])
        try:
            self._broker.start()
        except EdgeError as error:
            self._next = time.monotonic() + self._pause_s
            log.error("%s Trying again in %.1f s.", error, self._pause_s)
            return
        self._mark_started()
        log.info("the broker is back on port %d", self._broker.port)

    def _mark_started(self) -> None:
        self._started = time.monotonic()
        self._was_alive = True
        self._store_failed = False


class ReadyFile:
    """Says that we serve: one line in the log, and a JSON file for programs that wait for it.

    The file exists only while we serve, and is rewritten when what it says has changed.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._content: dict[str, object] = {}

    def __enter__(self) -> "ReadyFile":
        """Raises StorageError."""
        self._remove()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def show(self, line: str, content: dict[str, object]) -> None:
        """Raises StorageError."""
        if content == self._content:
            return
        if self._path is not None:
            replace_file(self._path, json.dumps(content).encode() + b"\n")
        self._content = content
        log.info("ready: %s", line)

    def _remove(self) -> None:
        if self._path is None:
            return
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(
                f"{self._path}: the ready file cannot be written: {error.strerror}. Choose a "
                "--ready-file in a folder that this user may write in."
            ) from error
