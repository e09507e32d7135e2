"""Rows that the disk does not take, kept in memory (ADR 0008)."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from edge_runtime.telemetry.outbox_file import CorruptError, DiskError, OutboxFile, last_remembered
from edge_runtime.telemetry.outbox_rows import Chunk, Counts, OutboxRows


class RowsInMemory(OutboxRows):
    """A stream of its own, for numbers that only memory knows must never be given again.

    `disk`: what the file that takes no more still holds. It is read before what is here, and its rows go
    once it lets them; None where it could not even be opened. Positions here follow its own.
    """

    def __init__(self, path: Path, max_bytes: int, boot_id: str, disk: OutboxRows | None) -> None:
        self.disk = disk
        remembered: list[tuple[object, ...]] = []
        with suppress(DiskError, CorruptError):
            remembered = [*disk.remembered()] if disk else last_remembered(path)
        file = OutboxFile.in_memory(path, remembered, gone=disk.last if disk else 0)
        super().__init__(file, max_bytes, boot_id)
        if disk:
            self.boot = disk.boot

    def counts(self) -> Counts:
        here = super().counts()
        if self.disk is None:
            return here
        return replace(here, rows=here.rows + self.disk.rows, dropped=here.dropped + self.disk.dropped)

    def read(self, after: int, max_rows: int, max_bytes: int) -> Chunk | None:
        if self.disk is not None:
            with suppress(DiskError, CorruptError):  # what cannot be read waits; what is here goes on
                if found := self.disk.read(after, max_rows, max_bytes):
                    return found
        return super().read(after, max_rows, max_bytes)

    def positions(self, stream: str, seq: int) -> tuple[int, int] | None:
        here = super().positions(stream, seq)
        return self.disk.positions(stream, seq) if here is None and self.disk is not None else here

    def remove(self, first: int, last: int) -> int:
        """Raises DiskError for rows that the disk does not let go of yet."""
        if self.disk is None or last > self.stream.base:
            return super().remove(first, last)
        try:
            return self.disk.remove(first, last)
        except CorruptError as error:
            raise DiskError(str(error)) from error

    def close(self) -> None:
        self.close_memory()
        if self.disk is not None:
            self.disk.close()

    def close_memory(self) -> None:
        super().close()
