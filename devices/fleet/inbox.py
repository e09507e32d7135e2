"""Messages between the link's thread, which must not wait long, and the one that commits them."""

import threading
import time
from collections import deque
from typing import NamedTuple

MAX_MESSAGES = 20_000
MAX_BYTES = 64 << 20
MAX_TURN_MESSAGES = 1_000
MAX_TURN_BYTES = 8 << 20
PATIENCE_S = 2.0


class Inbound(NamedTuple):
    """One message as it came. `received`: Unix time, s."""

    topic: str
    payload: bytes
    retained: bool
    received: float


class Inbox:
    """A bounded queue. When it is full, `put` holds the broker up for a moment and then drops.

    What is dropped was never acknowledged by us: rows come again, and what a device says of itself is
    kept by the broker and comes again with the next connection.
    """

    def __init__(
        self,
        *,
        max_messages: int = MAX_MESSAGES,
        max_bytes: int = MAX_BYTES,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._patience_s = patience_s
        self._messages: deque[Inbound] = deque()
        self._bytes = 0
        self._dropped = 0
        self._changed = threading.Condition()

    def put(self, topic: str, payload: bytes, retained: bool) -> bool:
        """Whether there was room."""
        message = Inbound(topic, payload, retained, time.time())
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_room(len(payload)), self._patience_s):
                self._dropped += 1
                return False
            self._messages.append(message)
            self._bytes += len(payload)
            self._changed.notify_all()
            return True

    def drain(self, timeout_s: float) -> list[Inbound]:
        """What one transaction shall take, oldest first; waits for the first one up to `timeout_s`."""
        taken: list[Inbound] = []
        size = 0
        with self._changed:
            self._changed.wait_for(lambda: bool(self._messages), timeout_s)
            while self._messages and len(taken) < MAX_TURN_MESSAGES and size < MAX_TURN_BYTES:
                taken.append(self._messages.popleft())
                size += len(taken[-1].payload)
            self._bytes -= size
            self._changed.notify_all()
        return taken

    def take_dropped(self) -> int:
        """How many were dropped since the last call."""
        with self._changed:
            dropped, self._dropped = self._dropped, 0
            return dropped

    def _has_room(self, size: int) -> bool:
        # One message always has room, whatever its size: the broker bounds that.
        return not self._messages or (
            len(self._messages) < self._max_messages and self._bytes + size <= self._max_bytes
        )
