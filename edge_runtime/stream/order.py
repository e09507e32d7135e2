"""In which order samples count: duplicates, late ones, gaps and new segments are told apart here.

A sensor's messages may come twice, and late: a broker sends again what was not acknowledged, and
nats-server does so only after its `ack_wait`, mixed with newer messages. So a sample that comes early
is kept until the gap before it is filled, or given up.
"""

import numpy as np

from edge_runtime.stream.decode import Block
from edge_runtime.stream.journal import Rows, Run, SampleRing


class Order:
    """Puts blocks of samples into a ring, each sample once, and counts (`SampleRing.counters`).

    A sample may come early by a quarter of the ring; a larger jump is a gap at once.
    """

    def __init__(self, ring: SampleRing) -> None:
        self._ring = ring
        self._patience = ring.most
        self._run = ring.last_run()
        self._settle()

    @property
    def waiting(self) -> bool:
        """Whether samples are missing that may still come."""
        return self._ring.high > self._ring.count and bool((self._ring.marks() == 0).any())

    def take(self, block: Block) -> None:
        """Take a block in; one that is not usable only uses up its numbers."""
        if block.seq is None:
            self._take_unnumbered(block)
        elif self._is_next(block):
            self._append(block)
        else:
            for index, row in enumerate(block.rows):
                self._place(block, block.seq + index, row, float(block.times[index]))

    def give_up(self) -> None:
        """Stop waiting for the first gap's samples: the next window begins behind it."""
        self._settle(over_a_gap=True)

    def _is_next(self, block: Block) -> bool:
        ring, run = self._ring, self._run
        return (
            run is not None
            and block.usable
            and self._continues(run, block)
            and block.seq in (None, run.seq + ring.count - run.start)
            and ring.high == ring.count
            and len(block.rows) <= self._patience
        )

    def _append(self, block: Block) -> None:
        self._ring.append(block.rows, block.times)
        self._ring.tally("taken", len(block.rows))

    def _take_unnumbered(self, block: Block) -> None:
        """The sensor does not number: whatever comes, comes next."""
        run = self._run
        if not block.usable and block.segment is None and (run is None or run.numbered):
            return None  # a numbered stream tells by its numbers what is missing
        if run is None or not self._continues(run, block):
            run = self._begin(block, 0)
        if self._is_next(block):
            return self._append(block)
        for index, row in enumerate(block.rows):
            if self._ring.high - self._ring.count >= self._patience:
                self._skip_to(self._ring.high)
            self._put(self._ring.high, row, float(block.times[index]), block.usable)
        return None

    def _place(self, block: Block, seq: int, row: Rows, time: float) -> None:
        """Find a numbered sample's place."""
        run = self._run
        if run is None or not self._continues(run, block):
            if block.segment is not None and self._is_taken(block.segment, seq, row, time):
                return self._ring.tally("duplicates", 1)
            run = self._begin(block, seq)
        position = run.start + seq - run.seq
        if position < self._ring.count:
            if counter := self._why_not(run, block, seq, row, time):
                return self._ring.tally(counter, 1)
            position = self._begin(block, seq).start
        elif position - self._ring.count >= self._patience:
            position = self._jump(seq)
        if self._ring.mark(position):
            return self._ring.tally("duplicates", 1)
        return self._put(position, row, time, block.usable)

    def _why_not(self, run: Run, block: Block, seq: int, row: Rows, time: float) -> str:
        """The counter of a sample numbered below what is expected; '' for a sensor that starts over.

        A sensor that starts over under the same name sends old numbers with other values.
        """
        if (position := self._find(run.segment, seq)) is not None:
            same = not block.usable or self._holds(position, row, time)
            return "duplicates" if same else ""
        behind = run.seq + self._ring.count - run.start - seq
        return "late" if behind <= self._patience and (seq > 0 or run.named) else ""

    def _put(self, position: int, row: Rows, time: float, usable: bool) -> None:
        self._ring.put_early(position, row, time, usable=usable)
        if usable:
            self._ring.tally("taken", 1)
        if position == self._ring.count or self._ring.mark(self._ring.count):
            self._settle()

    def _settle(self, *, over_a_gap: bool = False) -> None:
        """Take in what came early: past numbers known to be unusable; past missing ones if told."""
        while self._ring.high > self._ring.count:
            marks = self._ring.marks()
            in_order = _length_of(marks == 1)
            self._ring.settle(self._ring.count + in_order)
            rest = marks[in_order:]
            gap = _length_of(rest != 1)
            missing = int((rest[:gap] == 0).sum())
            if not len(rest) or (missing and not over_a_gap) or (gap == len(rest) and not missing):
                return
            self._ring.tally("missing", missing)
            self._skip_to(self._ring.count + gap)
            over_a_gap = over_a_gap and not missing

    def _jump(self, seq: int) -> int:
        """The position of `seq`, too far ahead to wait for what lies between: gaps are given up."""
        run = self._run
        assert run is not None
        position = run.start + seq - run.seq
        while self.waiting and position - self._ring.count >= self._patience:
            self.give_up()
        if position - self._ring.count < self._patience:
            return position
        start = self._ring.high
        self._ring.tally("missing", position - start)
        self._start_run(run.segment, seq, start, named=run.named, numbered=run.numbered)
        return start

    def _skip_to(self, start: int) -> None:
        """Begin a run of the same segment at position `start`: its numbers keep their distance."""
        run = self._run
        assert run is not None
        seq = run.seq + start - run.start
        self._start_run(run.segment, seq, start, named=run.named, numbered=run.numbered)

    def _begin(self, block: Block, seq: int) -> Run:
        """Begin a segment with number `seq`; what was still waited for is given up."""
        while self.waiting:
            self.give_up()
        named = block.segment is not None
        name = block.segment if block.segment is not None else self._ring.new_segment()
        return self._start_run(name, seq, self._ring.high, named=named, numbered=block.seq is not None)

    def _start_run(self, segment: str, seq: int, start: int, *, named: bool, numbered: bool) -> Run:
        self._ring.begin_run(segment, seq, start, named=named, numbered=numbered)
        self._run = run = Run(segment, named, numbered, seq, start, start)
        return run

    def _continues(self, run: Run, block: Block) -> bool:
        """Whether a block belongs to the segment of the current run."""
        if run.numbered != (block.seq is not None) or run.named != (block.segment is not None):
            return False
        return block.segment in (None, run.segment)

    def _is_taken(self, segment: str, seq: int, row: Rows, time: float) -> bool:
        position = self._find(segment, seq)
        return position is not None and self._holds(position, row, time)

    def _holds(self, position: int, row: Rows, time: float) -> bool:
        return position >= self._ring.oldest and self._ring.holds(position, row, time)

    def _find(self, segment: str, seq: int) -> int | None:
        """Where the sample was taken in, if it was."""
        for run in reversed(self._ring.runs()):
            if run.segment == segment and 0 <= seq - run.seq < run.end - run.start:
                return run.start + seq - run.seq
        return None


def _length_of(true: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> int:
    """How many elements are true before the first that is not."""
    return len(true) if true.all() else int(np.argmin(true))
