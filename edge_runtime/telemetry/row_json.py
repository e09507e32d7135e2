"""A row as the JSON that is stored and sent; what a collector would refuse is refused here. Pure.

A row that nobody accepts would hold up all rows behind it for ever, so it never gets a number.
"""

import math

import msgspec

from edge_runtime.bundle.manifest import check_name
from edge_runtime.errors import InputError, ManifestError
from edge_runtime.telemetry.messages import Event, Prediction, Row

MAX_ROW_BYTES = 64 << 10
_MAX_INTEGER = 1 << 53  # what JSON carries exactly everywhere

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Row] = msgspec.json.Decoder(Row)


def encode_row(row: Row, seq: int) -> bytes:
    """The JSON of `row` under the number `seq`.

    Raises InputError for a number that is not finite, an integer beyond 2^53, a model's name that makes
    no topic, and for more than 64 KiB.
    """
    try:
        body = _ENCODER.encode(msgspec.structs.replace(row, seq=seq))
        _DECODER.decode(body)  # NaN and infinity became null
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
        if found := _not_finite(row):
            raise InputError(f"a {_kind(row)} row: expected finite numbers, found {found}.") from error
        raise InputError(f"a {_kind(row)} row cannot be sent as JSON: {error}.") from error
    if len(body) > MAX_ROW_BYTES:
        raise InputError(
            f"a {_kind(row)} row: expected at most {MAX_ROW_BYTES:,} bytes as JSON, found {len(body):,}."
        )
    for value in _integers(row):
        if not 0 <= value <= _MAX_INTEGER:
            raise InputError(f"a {_kind(row)} row: expected integers from 0 to 2^53, found {value}.")
    return body


def lane_of(row: Row) -> str:
    """Rows of one lane share a topic: a prediction's model, '' for all others. Raises InputError."""
    if not isinstance(row, Prediction):
        return ""
    try:
        check_name(row.model)
    except ManifestError as error:
        raise InputError(f"a prediction row's model {error}") from error
    return row.model


def _not_finite(row: Row) -> str:
    """What of a row's numbers JSON has no form for."""
    if isinstance(row, Prediction):
        for name, numbers in (("values", row.values), ("probabilities", row.probabilities)):
            for number in numbers:
                if not math.isfinite(number):
                    return f"{number} among the model's {name}"
    return ""


def _kind(row: Row) -> str:
    return type(row).__name__.lower()


def _integers(row: Row) -> tuple[int, ...]:
    if isinstance(row, Prediction):
        return row.first, row.last
    return (row.count,) if isinstance(row, Event) else ()
