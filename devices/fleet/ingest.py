"""What a batch changes in the record of one stream: decided here, without a database or a clock.

The record of a stream is a `Ledger`: which sequence numbers are stored, and below which number nothing
more will come. New rows, duplicates, losses and the watermark all follow from it. The result does not
depend on the order or the repetition of batches, so a broker may do with them what it likes.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace

from edge_runtime.telemetry.messages import Batch, Row

MAX_SPANS = 1_000
"""Runs of stored rows one ledger keeps apart. A healthy stream has one, plus one for each loss."""

Span = tuple[int, int]
"""First and last sequence number of a run, both included."""


@dataclass(frozen=True)
class Ledger:
    """What is known of one stream. Sequence numbers begin at 1.

    `spans`: the stored runs above `settled`, ascending, never touching each other. `oldest`: the highest
    first number a batch declared; what is missing below it is lost. At and below `settled` single
    gaps are forgotten and only counted, in `settled_lost`; that happens to streams with very many gaps.
    """

    spans: tuple[Span, ...] = ()
    oldest: int = 1
    duplicates: int = 0
    settled: int = 0
    settled_lost: int = 0

    @property
    def stored(self) -> int:
        """How many rows of the stream are stored."""
        return self.settled - self.settled_lost + sum(last - first + 1 for first, last in self.spans)

    @property
    def lost(self) -> int:
        """How many rows were declared gone before they came. A late one makes it smaller again."""
        below = max(self.oldest - 1, self.settled)
        held = sum(min(last, below) - first + 1 for first, last in self.spans if first <= below)
        return self.settled_lost + below - self.settled - held

    @property
    def watermark(self) -> int:
        """The highest number at and below which every row is stored or lost. It never falls."""
        certain = max(self.oldest - 1, self.settled)
        for first, last in self.spans:
            if first > certain + 1:
                break
            certain = max(certain, last)
        return certain

    def holds(self, seq: int) -> bool:
        """Whether a row was stored already (or came so late that its gap is forgotten)."""
        if seq <= self.settled:
            return True
        at = bisect_right(self.spans, seq, key=lambda span: span[0]) - 1
        return at >= 0 and seq <= self.spans[at][1]


@dataclass(frozen=True)
class Received:
    """The ledger after a batch, and the rows of the batch that have to be stored, ascending."""

    ledger: Ledger
    rows: tuple[Row, ...]


def receive(ledger: Ledger, batch: Batch) -> Received | None:
    """Take a batch into a ledger; None refuses a batch that leaves too many gaps to keep account of.

    A refused batch is not acknowledged, so its device sends it again, and later ones fill the gaps.
    """
    fresh = {row.seq: row for row in batch.rows if not ledger.holds(row.seq)}
    rows = tuple(fresh[seq] for seq in sorted(fresh))
    changed = replace(
        ledger,
        spans=_union(ledger.spans, [(row.seq, row.seq) for row in rows]),
        oldest=max(ledger.oldest, batch.oldest),
        duplicates=ledger.duplicates + len(batch.rows) - len(rows),
    )
    if len(changed.spans) > MAX_SPANS:
        changed = _settle(changed)
    return Received(changed, rows) if len(changed.spans) <= MAX_SPANS else None


def _union(held: Iterable[Span], added: Iterable[Span]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for first, last in sorted([*held, *added]):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return tuple(joined)


def _settle(ledger: Ledger) -> Ledger:
    """Forget the single gaps of the older half of the runs, as far as they are certain losses."""
    old = [last for _, last in ledger.spans[: len(ledger.spans) // 2] if last < ledger.oldest]
    if not old:
        return ledger
    settled = old[-1]
    held = sum(last - first + 1 for first, last in ledger.spans if last <= settled)
    return replace(
        ledger,
        spans=tuple(span for span in ledger.spans if span[0] > settled),
        settled=settled,
        settled_lost=ledger.settled_lost + settled - ledger.settled - held,
    )
