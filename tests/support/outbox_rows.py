"""What an outbox would send."""

from collections.abc import Iterator

import msgspec

from edge_runtime.telemetry.messages import Batch, Event, Row
from edge_runtime.telemetry.outbox import Outbox
from edge_runtime.telemetry.outbox_rows import Chunk


def chunks_of(outbox: Outbox, max_rows: int = 256) -> Iterator[Chunk]:
    """All that it would send, chunk by chunk."""
    after = 0
    while chunk := outbox.read(after, max_rows=max_rows):
        yield chunk
        after = chunk.position


def events_by_name(outbox: Outbox) -> dict[str, str]:
    """What its events say, by stream and number."""
    batches = (
        msgspec.json.decode(payload, type=Batch)
        for chunk in chunks_of(outbox)
        for _, payload in chunk.batches
    )
    return {
        f"{batch.stream} {row.seq}": row.event
        for batch in batches
        for row in batch.rows
        if isinstance(row, Event)
    }


def rows_of(outbox: Outbox) -> list[Row]:
    """All rows that it holds, in order, by the numbers they are sent with."""
    payloads = (payload for chunk in chunks_of(outbox) for _, payload in chunk.batches)
    return [row for payload in payloads for row in msgspec.json.decode(payload, type=Batch).rows]
