"""A sensor's message in, blocks of samples out; whatever cannot be used is counted, never raised.

A message is JSON: a sample, a list of samples (a chunk), or a bare list of numbers. A sample is an
object with `values` (a list in the order of the channels, or an object by channel name) and optionally
`seq` (its number), `time` (Unix seconds) and `segment` (the name of the sensor's run).
"""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from edge_runtime.stream.journal import MAX_SEGMENT_BYTES, Rows, Times

MAX_MESSAGE_BYTES = 1 << 20
MAX_CHUNK = 4096
MAX_SEQ = 1 << 53


@dataclass(frozen=True)
class Block:
    """Samples whose numbers follow each other: rows float32 (n, channels), times float64 (n,).

    `seq` None: the sensor does not number. A time that was not given is NaN. Not `usable`: the sample
    was there, but its values were not; its number will not come again.
    """

    segment: str | None
    seq: int | None
    rows: Rows
    times: Times
    usable: bool = True


@dataclass(frozen=True)
class Decoded:
    """`rejected` counts what was dropped, by reason."""

    blocks: tuple[Block, ...]
    rejected: Counter[str]


class _Sample(msgspec.Struct, frozen=True):
    values: list[float] | dict[str, float]
    seq: int | None = None
    time: float | None = None
    segment: str | None = None


_fast = msgspec.json.Decoder(_Sample | list[_Sample | float | list[float]])


class _UnusableError(Exception):
    """Why a sample is dropped."""


def decode(payload: bytes, channels: Sequence[str]) -> Decoded:
    """Read one message of a sensor with these channels."""
    if len(payload) > MAX_MESSAGE_BYTES:
        return _nothing("message too large", channels)
    try:
        message: Any = _fast.decode(payload)
    except (msgspec.DecodeError, RecursionError):  # a ValidationError is a DecodeError
        try:
            # Slower, but it understands NaN and lets the good samples of a chunk pass.
            message = json.loads(payload)
        except (ValueError, RecursionError):
            return _nothing("not JSON", channels)
    if not isinstance(message, list):
        message = [message]
    elif message and not any(isinstance(item, (_Sample, dict, list)) for item in message):
        message = [message]  # a bare list of numbers is one sample
    if not 1 <= len(message) <= MAX_CHUNK:
        return _nothing("empty chunk" if not message else "chunk too long", channels)
    if (block := _uniform(message, channels)) is not None:
        return Decoded((block,), Counter())
    return _one_by_one(message, channels)


def _uniform(message: list[Any], channels: Sequence[str]) -> Block | None:
    """All samples of a message at once, if there is nothing to complain of and no jump."""
    first = message[0]
    if not isinstance(first, _Sample):
        return None
    width = len(channels)
    for index, sample in enumerate(message):
        if type(sample) is not _Sample or type(sample.values) is not list or len(sample.values) != width:
            return None
        expected = None if first.seq is None else first.seq + index
        if sample.seq != expected or sample.segment != first.segment:
            return None
    if not _number_fits(first.seq) or not _segment_fits(first.segment):
        return None
    with np.errstate(over="ignore"):
        rows = np.array([sample.values for sample in message], np.float64).astype(np.float32)
    if not np.isfinite(rows).all():
        return None
    times = [math.nan if sample.time is None else sample.time for sample in message]
    return Block(first.segment, first.seq, rows, np.array(times, np.float64))


def _one_by_one(message: list[Any], channels: Sequence[str]) -> Decoded:
    blocks: list[Block] = []
    rejected: Counter[str] = Counter()
    for item in message:
        sample: Any = item
        if isinstance(item, _Sample):
            sample = msgspec.structs.asdict(item)
        elif isinstance(item, list):
            sample = {"values": item}
        try:
            segment, seq, time = _identity(sample)
        except _UnusableError as error:
            rejected[str(error)] += 1
            blocks.append(_unusable(None, None, channels))
            continue
        try:
            row = _row(sample["values"], channels)
        except _UnusableError as error:
            rejected[str(error)] += 1
            blocks.append(_unusable(segment, seq, channels))
            continue
        blocks.append(Block(segment, seq, row, np.array([time], np.float64)))
    return Decoded(tuple(blocks), rejected)


def _identity(sample: Any) -> tuple[str | None, int | None, float]:
    """Segment, number and time of a sample."""
    if not isinstance(sample, dict) or "values" not in sample:
        raise _UnusableError("not a sample")
    segment, seq, time = sample.get("segment"), sample.get("seq"), sample.get("time")
    if not _segment_fits(segment):
        raise _UnusableError(f"segment is not a text of 1 to {MAX_SEGMENT_BYTES} bytes")
    if not _number_fits(seq):
        raise _UnusableError("seq is not a whole number from 0")
    if time is None:
        return segment, seq, math.nan
    if not isinstance(time, (int, float)) or isinstance(time, bool) or not abs(time) < 1e12:
        raise _UnusableError("time is not a number of seconds")
    return segment, seq, float(time)


def _row(values: Any, channels: Sequence[str]) -> Rows:
    """The values of one sample as float32 (1, channels)."""
    if isinstance(values, dict):
        if values.keys() != set(channels):
            raise _UnusableError("other channels")
        values = [values[channel] for channel in channels]
    if not isinstance(values, list):
        raise _UnusableError("values are not a list")
    if len(values) != len(channels):
        raise _UnusableError("wrong number of values")
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in values):
        raise _UnusableError("value is not a number")
    try:
        with np.errstate(over="ignore"):
            row = np.array([values], np.float64).astype(np.float32)
    except OverflowError:
        raise _UnusableError("value is not finite") from None
    if not np.isfinite(row).all():
        raise _UnusableError("value is not finite")
    return row


def _segment_fits(segment: Any) -> bool:
    if segment is None:
        return True
    try:
        return (
            isinstance(segment, str)
            and 1 <= len(segment.encode()) <= MAX_SEGMENT_BYTES
            and "\0" not in segment
        )
    except UnicodeEncodeError:  # a lone surrogate
        return False


def _number_fits(seq: Any) -> bool:
    return seq is None or (isinstance(seq, int) and not isinstance(seq, bool) and 0 <= seq < MAX_SEQ)


def _nothing(reason: str, channels: Sequence[str]) -> Decoded:
    return Decoded((_unusable(None, None, channels),), Counter({reason: 1}))


def _unusable(segment: str | None, seq: int | None, channels: Sequence[str]) -> Block:
    return Block(
        segment, seq, np.zeros((1, len(channels)), np.float32), np.array([math.nan]), usable=False
    )
