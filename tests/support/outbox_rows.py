"""What an outbox would send."""

import msgspec

from edge_runtime.telemetry.messages import Batch, Row
from edge_runtime.telemetry.outbox import Outbox


def rows_of(outbox: Outbox) -> list[Row]:
    """All rows that it holds, in order, by the numbers they are sent with."""
    rows, after = list[Row](), 0
    while chunk := outbox.read(after):
        for _, payload in chunk.batches:
            rows += msgspec.json.decode(payload, type=Batch).rows
        after = chunk.position
    return rows
