"""Which rows are on their way, and when they have to be sent again. Pure: the time is told."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

MAX_BATCHES = 64
_LONGEST = 6  # the time-out grows up to so many times the first one


@dataclass
class _Sent:
    stream: str
    last: int
    batches: int
    sent_s: float
    tokens: set[int] = field(default_factory=set)


class InFlight:
    """What was sent behind `cursor` and not acknowledged, oldest first.

    After a time-out without progress everything counts as lost; then one chunk at a time is sent to find
    out whether anybody listens, at growing intervals, until something is acknowledged.
    """

    def __init__(self, ack_timeout_s: float) -> None:
        self.cursor = 0  # a position in the outbox
        self._first_timeout_s = ack_timeout_s
        self._timeout_s = ack_timeout_s
        self._sent: deque[_Sent] = deque()
        self._progress_s = 0.0
        self._probing = False

    @property
    def has_room(self) -> bool:
        if self._probing:
            return not self._sent
        return sum(sent.batches for sent in self._sent) < MAX_BATCHES

    @property
    def deadline_s(self) -> float | None:
        """When to call `time_out`; None while nothing is on its way."""
        return self._progress_s + self._timeout_s if self._sent else None

    def sent(self, stream: str, last: int, position: int, tokens: Iterable[int], now_s: float) -> None:
        """One chunk of rows was sent, up to number `last` at `position`; `tokens` name its messages."""
        if not self._sent:
            self._progress_s = now_s
        waiting = set(tokens)
        self._sent.append(_Sent(stream, last, len(waiting), now_s, waiting))
        self.cursor = position

    def acknowledged(self, stream: str, seq: int, now_s: float) -> float | None:
        """Rows of `stream` up to `seq` have arrived for good; when the last of them was sent.

        None where none of them was on its way.
        """
        done = [s for s in self._sent if s.stream == stream and s.last <= seq]
        if not done:
            return None
        self._sent = deque(s for s in self._sent if s.stream != stream or s.last > seq)
        self._progress_s = now_s
        self._timeout_s = self._first_timeout_s
        self._probing = False
        return done[-1].sent_s

    def published(self, token: int) -> dict[str, int]:
        """The broker has a message; returns up to which number of which stream it has them all."""
        for sent in self._sent:
            sent.tokens.discard(token)
        done: dict[str, int] = {}
        for sent in self._sent:
            if sent.tokens:
                break
            done[sent.stream] = sent.last
        return done

    def time_out(self) -> None:
        """Nothing was acknowledged in time."""
        self._restart()
        self._timeout_s = min(2 * self._timeout_s, _LONGEST * self._first_timeout_s)
        self._probing = True

    def reconnected(self) -> None:
        """A new connection knows nothing of what the old one had on its way."""
        self._restart()
        self._timeout_s = self._first_timeout_s
        self._probing = False

    def _restart(self) -> None:
        self._sent.clear()
        self.cursor = 0
