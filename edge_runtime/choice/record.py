"""What a device has measured of a bundle, kept beside its slot: losing it costs a measurement, no more.

    STORE/choices/MODEL/DIGEST.json

A record that is missing, damaged, of another format or for another machine is no error: it is as if
nothing had been measured.
"""

import math
import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from edge_runtime import durable
from edge_runtime.bundle.files import read_small
from edge_runtime.choice.decision import Measured, able
from edge_runtime.choice.key import Key
from edge_runtime.engine.candidate import Candidate

FOLDER = "choices"
FORMAT = 1
MAX_BYTES = 1 << 17
MAX_WHY_NOT = 500  # characters


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table of all candidates of the bundle `digest` in the author's order, and which was chosen.

    Nothing was timed where one alone could run.
    """

    format: int = FORMAT
    digest: str
    key: Key
    rows: tuple[Measured, ...]
    chosen: Candidate

    @property
    def candidates(self) -> Iterator[Candidate]:
        """All that the table tells of."""
        return (each.candidate for each in self.rows)

    @property
    def was_measured(self) -> bool:
        """Whether candidates were compared by time."""
        return any(each.p50_us is not None for each in self.rows)


# Made with the module: msgspec 0.22 crashes where two threads are the first to decode one type.
_RECORD = msgspec.json.Decoder(Record)


def path_of(store: Path, model: str, digest: str) -> Path:
    """Where a slot's record is."""
    return store / FOLDER / model / f"{digest}.json"


def read(path: Path) -> Record | None:
    """The record of the slot that `path` names, whatever machine it is for; None for none to rely on."""
    try:
        record = _RECORD.decode(read_small(path, MAX_BYTES))
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return record if _is_sound(record, path.stem) else None


def write(path: Path, record: Record) -> None:
    """Replace the record. Raises StorageError, and what was there before is untouched."""
    rows = tuple(
        msgspec.structs.replace(each, why_not=each.why_not[:MAX_WHY_NOT]) for each in record.rows
    )
    durable.create_folder(path.parent)
    raw = msgspec.json.encode(msgspec.structs.replace(record, rows=rows))
    durable.replace_file(path, raw + b"\n")


def remove_others(store: Path, kept: Collection[tuple[str, str]]) -> None:
    """Remove records of slots that are not among `kept`, by model and digest. Failing is no harm.

    What is half written of one that is kept may be another process's work of this moment.
    """
    for path in (store / FOLDER).glob("*/*"):
        if (path.parent.name, path.name.partition(".")[0]) not in kept:
            with suppress(OSError):
                os.unlink(path)


def _is_sound(record: Record, digest: str) -> bool:
    """Whether it is of this bundle, and what was chosen is in its table, which has no absurd number."""
    numbers = [
        number
        for each in record.rows
        for number in (each.p50_us, each.p99_9_us, each.memory_mb, each.allocated_mb)
        if number is not None
    ]
    return (
        record.format == FORMAT
        and record.digest == digest
        and any(each.candidate == record.chosen for each in able(record.rows))
        and all(math.isfinite(number) and number > 0 for number in numbers)
    )
